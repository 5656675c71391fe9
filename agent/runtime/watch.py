"""What to watch; apart from `watches`, so that naming a watch does not import kopf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from agent.kube import Event, Kind

OnEvent: TypeAlias = Callable[[Event], None]
"""Called in the thread of the watches: it may only enqueue."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind to watch, in one namespace or (None) everywhere; with `name` only the object of that name.

    `on_event` gets ADDED for every object that exists at the start and again after the stream was interrupted for long.
    A deletion that falls into such an interruption is not reported, so `on_open`, called whenever the stream opens,
    has to make sure that what should exist is looked at.
    """

    kind: Kind
    on_event: OnEvent
    _: KW_ONLY
    on_open: Callable[[], object] = lambda: None
    namespace: str | None = None
    name: str | None = None
