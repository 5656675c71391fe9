"""Durations as Go writes them, which users and tools know from the original texts."""

from __future__ import annotations


def format_duration(seconds: int) -> str:
    """Return whole seconds as `45s`, `1m30s`, `30m0s`, `1h0m0s` (post-pivot-and-rollback.md 11.2)."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
