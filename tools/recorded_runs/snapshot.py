"""The files of all stateroots at one moment, and what changed between two."""

from __future__ import annotations

import json
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tools.recorded_runs.scenario import FileChange
from tools.recorded_runs.state import read_object

Snapshot = Mapping[str, tuple[str, str, bytes]]
"""Path -> kind (folder, file, link), mode, content."""

_DEPLOYMENT = "<deployment>"
_SAVED = "/var/lib/lca/ibu.json"


def take_snapshot(sysroot: Path) -> Snapshot:
    """Read /var of every stateroot and /etc of every deployment; paths are named as in recordings."""
    found: dict[str, tuple[str, str, bytes]] = {}
    base = sysroot / "ostree/deploy"
    for stateroot in sorted(base.iterdir()):
        found[f"/ostree/deploy/{stateroot.name}"] = ("folder", "", b"")
        _read_tree(stateroot / "var", f"/ostree/deploy/{stateroot.name}/var", found)
        for deployment in stateroot.glob("deploy/*.[0-9]"):
            _read_tree(deployment / "etc", f"/ostree/deploy/{stateroot.name}/deploy/{_DEPLOYMENT}/etc", found)
    return found


def list_changes(before: Snapshot, after: Snapshot, placed: Collection[str]) -> list[FileChange]:
    """What changed; what lies below a removed folder is not told, and nothing of what the run itself placed."""
    changes: list[FileChange] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if new is None:
            if not any(change.change == "removed" and path.startswith(change.path + "/") for change in changes):
                changes.append(FileChange(path, "removed"))
        elif not _is_same(old, new, path) and path not in placed:
            kind, mode, content = new
            what = "added" if old is None else "modified"
            changes.append(FileChange(path, what, mode or None, _read_content(path, content), kind == "folder"))
    return changes


def _is_same(old: tuple[str, str, bytes] | None, new: tuple[str, str, bytes], path: str) -> bool:
    """Whether both hold the same, in whatever layout."""
    return old == new or (
        old is not None and old[:2] == new[:2] and _read_content(path, old[2]) == _read_content(path, new[2])
    )


def name_as_recorded(path: str) -> str:
    """A path below the sysroot, with the deployment's name left out."""
    parts = path.split("/")
    if len(parts) > 5 and parts[4] == "deploy":
        parts[5] = _DEPLOYMENT
    return "/".join(parts)


def _read_tree(folder: Path, name: str, found: dict[str, tuple[str, str, bytes]]) -> None:
    if not folder.is_dir():
        return
    found[name] = _read(folder)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _read_tree(path, f"{name}/{path.name}", found)
        else:
            found[f"{name}/{path.name}"] = _read(path)


def _read(path: Path) -> tuple[str, str, bytes]:
    status = path.lstat()
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if stat.S_ISLNK(status.st_mode):
        return "link", "", str(path.readlink()).encode()
    if stat.S_ISDIR(status.st_mode):
        return "folder", mode, b""
    return "file", mode, path.read_bytes()


def _read_content(path: str, content: bytes) -> Any:
    text = content.decode(errors="replace")
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if not isinstance(value, dict):
        return text
    return read_object(value) if path.endswith(_SAVED) else value
