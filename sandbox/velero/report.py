"""What a backup or restore has to say: its log, and its warnings and errors by place."""

from __future__ import annotations

import gzip
import json
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sandbox.velero.clock import format_time, now

_log = logging.getLogger(__name__)


@dataclass
class Problems:
    """Messages about Velero itself, about cluster-scoped objects, and about the objects of each namespace."""

    velero: list[str] = field(default_factory=list)
    cluster: list[str] = field(default_factory=list)
    namespaces: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, namespace: str | None, message: str) -> None:
        """Note a message about an object of `namespace`, or about a cluster-scoped one."""
        (self.namespaces[namespace] if namespace else self.cluster).append(message)

    @property
    def count(self) -> int:
        return len(self.velero) + len(self.cluster) + sum(map(len, self.namespaces.values()))

    def as_json(self) -> dict[str, Any]:
        """The form of the results file, without empty parts."""
        parts = {"velero": self.velero, "cluster": self.cluster, "namespaces": dict(self.namespaces)}
        return {name: part for name, part in parts.items() if part}


class Report:
    """Collects log lines and problems of one run; `subject` is `backup=<namespace>/<name>` or the same of a restore."""

    def __init__(self, subject: str) -> None:
        self.warnings = Problems()
        self.errors = Problems()
        self._subject = subject
        self._lines: list[str] = []

    def info(self, message: str) -> None:
        self._write("info", message)

    def warn(self, namespace: str | None, message: str) -> None:
        """A warning about an object."""
        self.warnings.add(namespace, message)
        self._write("warning", message)

    def fail(self, namespace: str | None, message: str) -> None:
        """An error about an object; the run goes on and ends as partially failed."""
        self.errors.add(namespace, message)
        self._write("error", message)

    def fail_run(self, message: str) -> None:
        """An error of the run itself, which goes on if it can."""
        self.errors.velero.append(message)
        self._write("error", message)

    def log_file(self) -> bytes:
        return gzip.compress("".join(self._lines).encode())

    def results_file(self) -> bytes:
        return gzip_json({"errors": self.errors.as_json(), "warnings": self.warnings.as_json()})

    def _write(self, level: str, message: str) -> None:
        self._lines.append(f'time="{format_time(now())}" level={level} msg={json.dumps(message)} {self._subject}\n')
        if level != "info":
            _log.warning("%s: %s", self._subject, message)


def gzip_json(value: Any) -> bytes:
    """Compact JSON, compressed."""
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode())
