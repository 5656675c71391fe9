"""A folder whose files change all at once, as Pods expect of ConfigMap and Secret volumes.

`..data` points to a folder that is never changed; each file is a link through `..data`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Content:
    """One file: what is in it, and its permission bits."""

    data: bytes
    mode: int


def write_payload(folder: Path, files: Mapping[str, Content]) -> None:
    """Make `folder` hold exactly `files` (relative paths); nothing is touched when it does already."""
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / "..data"
    if current.exists() and _read(current) == files:
        return
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    fresh.chmod(0o755)
    for name, content in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.data)
        path.chmod(content.mode)
    old = folder / current.readlink() if current.is_symlink() else None
    link = folder / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.replace(current)
    wanted = {Path(name).parts[0] for name in files}
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in wanted:
            path.unlink()
    if old:
        shutil.rmtree(old)


def _read(folder: Path) -> dict[str, Content]:
    root = folder.resolve()
    return {
        str(path.relative_to(root)): Content(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in root.rglob("*")
        if path.is_file()
    }
