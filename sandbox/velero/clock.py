"""Times and durations as Velero writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[hms])")


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """RFC 3339 in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Read what `format_time` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `720h0m0s`; raises ValueError."""
    if text != "0" and not re.fullmatch(rf"(?:{_PART.pattern})+", text):
        raise ValueError(f"invalid duration {text!r}")
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _PART.findall(text)), timedelta())
