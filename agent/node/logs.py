"""Log lines as the original's programs on the host write them (post-pivot-and-rollback.md 4)."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from agent.runtime.logs import JsonFormatter

_LEVELS = {"critical": "fatal"}


class JournalFormatter(JsonFormatter):
    """`time="2026-01-31 12:00:00" level=info msg="..." key=value`, a traceback below."""

    def render(self, fields: dict[str, Any]) -> str:
        """Return `fields` as a line of a journal."""
        traceback = fields.pop("traceback", None)
        time, level, message = (fields.pop(name) for name in ("time", "level", "message"))
        del fields["logger"]
        shown = {
            "time": f"{time[:10]} {time[11:19]}",
            "level": _LEVELS.get(level, level),
            "msg": message,
            **fields,
        }
        line = " ".join(
            f"{name}={value if name == 'level' else json.dumps(value, ensure_ascii=False)}"
            for name, value in shown.items()
        )
        return f"{line}\n{traceback}" if traceback else line


def log_for_journal() -> None:
    """Send the log to standard output in the form of `JournalFormatter`; levels stay as they are."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JournalFormatter())
    logging.getLogger().handlers = [handler]
