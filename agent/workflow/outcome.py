"""What a step can end with: values, not exceptions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Done:
    """The step's effect is in place; the next step may start."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The step's effect is not in place yet; look again after `after`, or earlier when an event arrives.

    `watched` names where the awaited event comes from, besides what is watched all the time: it is watched as long as
    this is what is waited for. Whoever runs the steps understands it.
    """

    message: str
    after: timedelta
    watched: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The step can not succeed without the user; `message` says what happened, where and what to do next."""

    message: str


Outcome: TypeAlias = Done | Wait | Failed
