"""Finds out why Velero failed something, tells it, and saves what it was told below the workspace.

Nothing here may make a bad thing worse: it takes bounded time, and what can not be had is logged and left out.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agent.kube import Client, Kind, Object, errors
from agent.velero.downloads import DownloadError, download
from agent.velero.failures import OBJECTS, Failure, describe_failure, read_log_errors, read_results
from agent.velero.locations import Locations, make_tls_context
from agent.velero.names import BACKUP, OADP_NAMESPACE, RESTORE
from agent.velero.notice import Notice, Report
from agent.velero.progress import FAILED_VALIDATION, read_phase
from hostops.files import make_directory, replacing, write_atomically

log = logging.getLogger(__name__)

EVIDENCE = "/var/lib/lca/workspace/oadp"
"""Where the user finds the files on the host; the caller says where this process sees that folder."""
SECONDS_PER_OBJECT = 10.0
SECONDS_IN_ALL = 30.0

_REPORT = "-report.txt"
_RESULTS_BYTES = 4 << 20
_SAVED_LOG_BYTES = 16 << 20
_LINE_BYTES = 1 << 16
_KEPT_ERRORS = 200


@dataclass(frozen=True, slots=True)
class Investigation:
    """How failures are looked into: through whom, where the files go (None: nowhere), and whom to tell."""

    client: Client
    directory: Path | None
    report: Report

    def explain(self, failed: Sequence[Object]) -> list[Failure]:
        """Return a failure for each object, with causes for as many as there is time for; each is reported."""
        end = time.monotonic() + SECONDS_IN_ALL
        failures = []
        for number, obj in enumerate(failed):
            found: list[str] = []
            if number < OBJECTS and read_phase(obj) != FAILED_VALIDATION:
                found = self._find_errors(obj, min(end, time.monotonic() + SECONDS_PER_OBJECT))
            saved_as = f"{EVIDENCE}/{_name_file(obj, _REPORT)}" if self.directory else ""
            failures.append(describe_failure(obj, found, saved_as))
            self._tell(obj, failures[-1], found)
        return failures

    def _find_errors(self, obj: Object, deadline: float) -> list[str]:
        """Return the errors of the results file, or, without that, those of the log; save both."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            location = self._find_location(obj)
            context = make_tls_context(self.client, location)
        except (errors.ApiError, ValueError, LookupError) as error:
            log.warning("no details of %s %s: %s", kind, name, error)
            return []
        found: list[str] = []
        for target, read in ((f"{kind}Results", self._read_results), (f"{kind}Log", self._read_log)):
            if target.endswith("Log") and found and self.directory is None:
                break
            try:
                with contextlib.closing(download(self.client, target, name, context, deadline)) as parts:
                    errors_found = read(obj, parts)
            except (errors.ApiError, DownloadError, ValueError, OSError) as error:
                log.warning("no %s of %s: %s", target, name, error)
            else:
                found = found or errors_found
        return found

    def _find_location(self, obj: Object) -> Object:
        backup = obj
        if obj["kind"] != BACKUP.kind:
            backup = self.client.get(BACKUP, (obj.get("spec") or {}).get("backupName", ""), OADP_NAMESPACE)
        locations = Locations.read(self.client)
        return locations.by_name[locations.name_of(backup)]

    def _read_results(self, obj: Object, parts: Iterator[bytes]) -> list[str]:
        content = bytearray()
        for part in parts:
            content += part
            if len(content) > _RESULTS_BYTES:
                raise ValueError(f"the results file has more than {_RESULTS_BYTES} bytes")
        self._save(obj, "-results.json", bytes(content))
        return read_results(bytes(content))

    def _read_log(self, obj: Object, parts: Iterator[bytes]) -> list[str]:
        kept: list[str] = []
        lines = _split_lines(itertools.chain([next(parts, b"")], _take_until_broken(parts)))
        if self.directory is not None:
            try:
                make_directory(self.directory, 0o700)
                with replacing(self.directory / _name_file(obj, ".log")) as file:
                    _keep(kept, read_log_errors(_save_on_the_way(lines, file)))
            except OSError as error:
                log.warning("log of %s %s not saved: %s", obj["kind"], obj["metadata"]["name"], error)
        _keep(kept, read_log_errors(lines))
        return kept

    def _save(self, obj: Object, ending: str, content: str | bytes) -> None:
        if self.directory is None:
            return
        try:
            make_directory(self.directory, 0o700)
            write_atomically(self.directory / _name_file(obj, ending), content)
        except OSError as error:
            log.warning("%s of %s not saved: %s", ending, obj["metadata"]["name"], error)

    def _tell(self, obj: Object, failure: Failure, found: Sequence[str]) -> None:
        """Report the failure, and save the report with every error that was found."""
        notice = report_failure(BACKUP if obj["kind"] == BACKUP.kind else RESTORE, failure)
        self.report(notice)
        self._save(obj, _REPORT, "\n".join([notice.text, *found]) + "\n")


def report_failure(kind: Kind, failure: Failure) -> Notice:
    """Return the warning about a failed Backup or Restore."""
    text = f"{kind.kind} {failure.name} failed: {failure.detail}; see {failure.hint}"
    return Notice("BackupFailed" if kind == BACKUP else "RestoreFailed", text)


def _name_file(obj: Object, ending: str) -> str:
    return f"{str(obj['kind']).lower()}-{obj['metadata']['name']}{ending}"


def _take_until_broken(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what comes; half a log is better than none."""
    try:
        yield from parts
    except DownloadError as error:
        log.warning("a log is incomplete: %s", error)


def _save_on_the_way(lines: Iterable[str], file: BinaryIO) -> Iterator[str]:
    left = _SAVED_LOG_BYTES
    for line in lines:
        if left > 0:
            left -= file.write(line.encode("utf-8", "replace"))
        yield line


def _split_lines(parts: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines with their ends; a line without end is cut into pieces."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        yield from (line.decode("utf-8", "replace") + "\n" for line in lines)
        if len(rest) > _LINE_BYTES:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def _keep(kept: list[str], errors_found: Iterable[str]) -> None:
    for text in errors_found:  # to the end: the lines are saved on the way
        if len(kept) < _KEPT_ERRORS:
            kept.append(text)
