"""The record of host commands that the wrapper in front of every program of the node writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """One finished host command: `start` in seconds since the epoch; `depth` 0 unless another one called it."""

    start: float
    seconds: float
    code: int
    depth: int
    argv: tuple[str, ...]


def read_commands(path: Path, *, nested: bool = False) -> Iterator[Command]:
    """The commands in the order in which they ended; with `nested` also those that other commands called."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                fields = json.loads(line)
                command = Command(**{**fields, "argv": tuple(fields["argv"])})
            except (ValueError, TypeError, KeyError):
                continue  # cut off by a power loss
            if nested or command.depth == 0:
                yield command
