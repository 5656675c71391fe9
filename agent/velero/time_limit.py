"""How long a Backup may go without any progress (upgrade-and-oadp.md, proposal 8). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

ANNOTATION = "lca.openshift.io/backup-timeout"
"""On a Backup: a duration such as `90m` or `4h30m`; `0` means no limit."""
DEFAULT_LIMIT = timedelta(hours=2)

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_LONGEST_SECONDS = 365 * 24 * 3600


class TimeLimitError(ValueError):
    """The annotation's value is no duration."""


def read_time_limit(
    annotations: Mapping[str, str] | None, default: timedelta | None = DEFAULT_LIMIT
) -> timedelta | None:
    """Return the limit that the annotations set, else `default`; None: there is none. Raises TimeLimitError."""
    text = (annotations or {}).get(ANNOTATION)
    if text is None:
        return default
    if text == "0":
        return None
    match = _DURATION.fullmatch(text)
    if not text or match is None or len(text) > 20:
        raise TimeLimitError(f'annotation {ANNOTATION}: "{text[:80]}" is not a duration such as 90m or 4h30m')
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total_seconds = hours * 3600 + minutes * 60 + seconds
    return timedelta(seconds=total_seconds) if 0 < total_seconds <= _LONGEST_SECONDS else None


def format_duration(duration: timedelta) -> str:
    """Write a duration as the annotation takes it: `2h`, `1h30m`, `45s`."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if number]
    return "".join(parts) or "0s"
