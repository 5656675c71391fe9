"""Structured logs: one line per record, `key=value` or JSON, secrets masked.

Fields are passed as `extra`: `log.info("stage started", extra={"stage": "Prep"})`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, TypeAlias

LogFormat: TypeAlias = Literal["text", "json"]

_MASK = "***"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KOPF_FIELDS = frozenset({"k8s_skip", "k8s_ref", "settings"})
_PLAIN = re.compile(r"[^\s\"=]+")
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<keep>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}",
        r"(?P<keep>)\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",  # a JSON web token
        r"(?P<keep>://[^/\s:@]+:)[^/\s@]+(?=@)",
        r"""(?P<keep>["']?\b(?:password|passwd|token|secret|auth|secret_?access_?key|identitytoken)["']?\s*[:=]\s*["']?)[^\s"',}]{4,}""",
        r"(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|$)",
    )
)


def mask_secrets(text: str) -> str:
    """Replace what looks like a credential: tokens, passwords of URLs and settings, private keys."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<keep>{_MASK}", text)
    return text


def configure_logging(log_format: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Send all records of `level` and above to `stream` (default: standard error) in `log_format`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # What ends kopf is raised to agent.runtime.watches, which reports it in one line.
    for module in ("_core.reactor.running", "_core.reactor.orchestration", "activities"):
        logging.getLogger(f"kopf.{module}").setLevel(logging.CRITICAL)
    if logging.getLogger().level > logging.DEBUG:
        for library in ("kopf", "asyncio", "urllib3"):
            logging.getLogger(library).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask_secrets(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in _KOPF_FIELDS:
                fields[name] = value if isinstance(value, int | float | None) else mask_secrets(str(value))
        if record.exc_info:
            fields["traceback"] = mask_secrets(self.formatException(record.exc_info))
        return self.render(fields)

    def render(self, fields: dict[str, Any]) -> str:
        raise NotImplementedError


class JsonFormatter(_Formatter):
    """One JSON object per line."""

    def render(self, fields: dict[str, Any]) -> str:
        """Return `fields` as JSON."""
        return json.dumps(fields, ensure_ascii=False)


class TextFormatter(_Formatter):
    """`TIME LEVEL logger: message key=value ...`, a traceback below."""

    def render(self, fields: dict[str, Any]) -> str:
        """Return `fields` for reading."""
        traceback = fields.pop("traceback", None)
        head = f"{fields.pop('time')} {fields.pop('level').upper()} {fields.pop('logger')}: {fields.pop('message')}"
        line = " ".join([head, *(f"{name}={self._quote(value)}" for name, value in fields.items())])
        return f"{line}\n{traceback}" if traceback else line

    @staticmethod
    def _quote(value: object) -> str:
        text = str(value)
        return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
