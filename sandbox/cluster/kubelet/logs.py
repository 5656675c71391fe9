"""Container logs in the format of Kubernetes' container runtimes: `TIME stdout|stderr F|P TEXT`, one file per start.

A text that did not end with a line break is marked `P`, all others `F`. Times are UTC with nanoseconds.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.kube import Object

_LINE_LIMIT = 16 * 1024
_FILE_LIMIT = 10 * 1024 * 1024
_FOLLOW_SECONDS = 10.0

_log = logging.getLogger(__name__)

changed = threading.Condition()
"""Notified whenever any log grew or any container ended: those who follow a log look again."""


def log_path(logs: Path, pod: Object, container: str, restarts: int) -> Path:
    """The file of one start of a container."""
    metadata = pod["metadata"]
    folder = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
    return logs / folder / container / f"{restarts}.log"


class LogWriter:
    """Appends what a container prints; when the file is full, the older half of the output is given up."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._size = os.fstat(self._file).st_size
        self._pending: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Take output of `stdout` or `stderr`; unfinished lines are kept back until they end or get too long."""
        *lines, rest = (self._pending.pop(stream, b"") + data).split(b"\n")
        entries = [self._entry(stream, "F", line) for line in lines]
        if len(rest) > _LINE_LIMIT:
            entries.append(self._entry(stream, "P", rest))
        elif rest:
            self._pending[stream] = rest
        self._append(entries)

    def close(self) -> None:
        """Write what is left, and end."""
        self._append([self._entry(stream, "P", rest) for stream, rest in self._pending.items()])
        os.close(self._file)
        with changed:
            changed.notify_all()

    def _entry(self, stream: str, tag: str, text: bytes) -> bytes:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{moment}.{nanoseconds:09d}Z {stream} {tag} ".encode() + text + b"\n"

    def _append(self, entries: list[bytes]) -> None:
        if not entries:
            return
        if self._size > _FILE_LIMIT:
            self._rotate()
        try:
            self._size += os.write(self._file, b"".join(entries))
        except OSError as error:  # a full disk: the container goes on, its output is lost
            _log.warning("%s: %s", self._path, error)
        with changed:
            changed.notify_all()

    def _rotate(self) -> None:
        os.close(self._file)
        self._path.replace(older_part(self._path))
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._size = 0


def older_part(path: Path) -> Path:
    """Where the older half of a full log is kept."""
    return path.with_suffix(".log.old")


@dataclass(frozen=True)
class LogQuery:
    """What `kubectl logs` asks for."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None


def read_log(path: Path, query: LogQuery, is_running: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the log's text piece by piece; with `follow` until the container has ended (or the reader goes away)."""
    left = query.limit_bytes
    for piece in _pieces(path, query, is_running):
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        yield piece
        if left == 0:
            return


def tail_text(path: Path, lines: int, limit_bytes: int) -> str:
    """The last lines of a log as text, at most `limit_bytes` long."""
    text = b"".join(read_log(path, LogQuery(tail_lines=lines), lambda: False))
    return text[-limit_bytes:].decode(errors="replace")


def _pieces(path: Path, query: LogQuery, is_running: Callable[[], bool]) -> Iterator[bytes]:
    older = older_part(path)
    existing = [older, path] if older.exists() else [path]
    with path.open("rb") as file:
        entries: Iterable[bytes] = (line for part in existing[:-1] for line in part.read_bytes().splitlines(True))
        entries = _wanted([*entries, *file], query)
        for entry in entries:
            yield _render(entry, query)
        while query.follow:
            running = is_running()
            grown = False
            for entry in file:
                grown = True
                yield _render(entry, query)
            if not grown and not running:
                return
            if not grown:
                with changed:
                    changed.wait(_FOLLOW_SECONDS)
                yield b""  # lets the reader notice that nobody listens any more


def _wanted(entries: Iterable[bytes], query: LogQuery) -> Iterable[bytes]:
    if query.since is not None:
        first = query.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode()
        entries = (entry for entry in entries if entry[: len(first)] >= first)
    if query.tail_lines is not None:
        return deque(entries, maxlen=query.tail_lines) if query.tail_lines else ()
    return entries


def _render(entry: bytes, query: LogQuery) -> bytes:
    moment, _stream, tag, text = entry.split(b" ", 3)
    if tag == b"P":
        text = text[:-1]
    return moment + b" " + text if query.timestamps else text
