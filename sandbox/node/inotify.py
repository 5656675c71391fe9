"""Notices changed files without looking at them again and again."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_MOVED_TO, _CLOSE_WRITE, _CREATE, _DELETE = 0x80, 0x8, 0x100, 0x200
_HEADER = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Changes of the files `names` in one folder; `fileno` is readable when there are some."""

    def __init__(self, directory: Path, names: set[str]) -> None:
        self._names = names
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = _MOVED_TO | _CLOSE_WRITE | _CREATE | _DELETE
        if self._descriptor < 0 or _libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask) < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"can not watch {directory}: {os.strerror(code)}")

    def fileno(self) -> int:
        """File descriptor to select on."""
        return int(self._descriptor)

    def read(self) -> set[str]:
        """Names of watched files that changed since the last call; empty when others did."""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return set()
        found, position = set(), 0
        while position < len(data):
            _, _, _, length = _HEADER.unpack_from(data, position)
            position += _HEADER.size
            found.add(os.fsdecode(data[position : position + length].rstrip(b"\0")))
            position += length
        return found & self._names

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)
