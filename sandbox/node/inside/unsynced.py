"""Notes which files a program of ours has written and not yet synced, so that a power loss can take them away.

Imported before the program; the notes go to `/sandbox/control/unsynced`, one per line: `w TIME PATH` opened for
writing, `s TIME PATH` synced, `r TIME OLD<TAB>NEW` renamed. `sandbox.node.powerloss` reads them.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

NOTES = "/sandbox/control/unsynced"
_KEPT = ("/var/", "/etc/", "/opt/", "/ostree/", "/sysroot/", "/boot/")
_WRITES = os.O_WRONLY | os.O_RDWR


def _open_notes() -> int | None:
    for path in (NOTES, f"/host{NOTES}"):
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
    return None


def _note(kind: str, text: str) -> None:
    if _notes is not None:
        os.write(_notes, f"{kind} {time.time():.6f} {text}\n".encode(errors="surrogateescape"))


def _host_path(path: Any) -> str:
    """The path on the node, as `/proc` shows it for an open file: no link in its folders."""
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    text = os.path.join(os.path.realpath(folder), name)
    return text.removeprefix("/host") if text.startswith("/host/") else text


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, (str, bytes)) and flags & _WRITES and _host_path(path).startswith(_KEPT):
            _note("w", _host_path(path))
    elif event == "os.rename":
        source, target = _host_path(arguments[0]), _host_path(arguments[1])
        if target.startswith(_KEPT):
            _note("r", f"{source}\t{target}")


def _sync(fd: Any) -> None:
    _real_fsync(fd)
    number = fd if isinstance(fd, int) else fd.fileno()
    _note("s", _host_path(os.readlink(f"/proc/self/fd/{number}")))


_notes = _open_notes()
if _notes is not None:
    _real_fsync = os.fsync
    os.fsync = os.fdatasync = _sync
    sys.addaudithook(_watch)
