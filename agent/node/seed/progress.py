"""Tells in the log how far a long step is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0
_MIB = 1024**2


class Progress:
    """How much of `name` is packed; `expected_bytes` is an estimate, 0 when there is none."""

    def __init__(self, name: str, expected_bytes: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._expected = expected_bytes
        self._clock = clock
        self._told = clock()

    def tell(self, done_bytes: int) -> None:
        """Note progress; every few seconds it is worth a line."""
        now = self._clock()
        if now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        share = f", about {min(99, done_bytes * 100 // self._expected)} %" if self._expected else ""
        logger.info("%s: %d MiB packed%s", self._name, done_bytes // _MIB, share)
