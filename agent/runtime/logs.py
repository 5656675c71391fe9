"""Structured logs: one line per record, `key=value` or JSON, secrets masked.

Fields are passed as `extra`: `log.info("stage started", extra={"stage": "Prep"})`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, TypeAlias

LogFormat: TypeAlias = Literal["text", "json"]

TIME_FORMATS: dict[str, Callable[[float], int | float | str]] = {
    "iso8601": lambda created: _write_time(created, "milliseconds"),
    "rfc3339": lambda created: _write_time(created, "seconds"),
    "rfc3339nano": lambda created: _write_time(created, "microseconds"),
    "epoch": lambda created: created,
    "millis": lambda created: created * 1e3,
    "nano": lambda created: int(created * 1e9),
}
"""Name of a form -> function from seconds since 1970 to the time as a log line shows it."""

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


def configure_logging(
    log_format: LogFormat,
    level: str,
    stream: TextIO | None = None,
    *,
    traceback_level: str = "debug",
    time_format: str = "iso8601",
) -> None:
    """Send all records of `level` and above to `stream` (default: standard error) in `log_format`.

    Levels are names of `logging`, in any case. Exceptions below `traceback_level` are logged without their traceback;
    `time_format` is one of `TIME_FORMATS`.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    make_formatter = JsonFormatter if log_format == "json" else TextFormatter
    handler.setFormatter(make_formatter(logging.getLevelName(traceback_level.upper()), TIME_FORMATS[time_format]))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # What ends kopf is raised to agent.runtime.watches, which reports it in one line.
    for module in ("_core.reactor.running", "_core.reactor.orchestration", "activities"):
        logging.getLogger(f"kopf.{module}").setLevel(logging.CRITICAL)
    if logging.getLogger().level > logging.DEBUG:
        for library in ("kopf", "asyncio", "urllib3"):
            logging.getLogger(library).setLevel(logging.WARNING)


def _write_time(created: float, precision: str) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec=precision).replace("+00:00", "Z")


class _Formatter(logging.Formatter):
    def __init__(
        self,
        traceback_level: int = logging.DEBUG,
        write_time: Callable[[float], int | float | str] = TIME_FORMATS["iso8601"],
    ) -> None:
        super().__init__()
        self._traceback_level = traceback_level
        self._write_time = write_time

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": self._write_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask_secrets(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in _KOPF_FIELDS:
                fields[name] = value if isinstance(value, int | float | None) else mask_secrets(str(value))
        if record.exc_info and record.levelno >= self._traceback_level:
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
