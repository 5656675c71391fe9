"""How a node program ends, other than well."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from types import FrameType


class ProgramError(Exception):
    """The program could not do its work; the text says what happened and where."""

    level = logging.ERROR


class FatalError(ProgramError):
    """The program could not do its work; why is in the log already."""

    level = logging.CRITICAL


class UsageError(Exception):
    """The environment or the command line asks for something that cannot be done."""


class Interrupted(BaseException):
    """SIGTERM came. Derived from BaseException so that nothing but `finally` stands in its way.

    The text, if there is one, says that this was to be expected.
    """


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop the program at once: the running host command is killed, `finally` blocks tidy up.

    Every step can be killed and repeated, so nothing is gained by working on in a Pod that is going away. A second
    SIGTERM is ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
