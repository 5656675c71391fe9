"""What the user is told besides the condition; whoever calls the engine decides how, for example by an Event."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

log = logging.getLogger(__name__)

Reason: TypeAlias = Literal["BackupFailed", "BackupRepeated", "RestoreFailed", "StaleBackupDeleted"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning; `reason` fits an Event's."""

    reason: Reason
    text: str


Report: TypeAlias = Callable[[Notice], object]
"""Takes a notice; must not raise."""


def log_notice(notice: Notice) -> None:
    """Only log a notice."""
    log.warning(notice.text, extra={"event_reason": notice.reason})
