"""Durable files: after a kill or a power loss a file has its old or its new content, never half of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace `path` by a file with `content` and `mode`; see `replacing`."""
    with replacing(path, mode, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600, *, durable: bool = True) -> Iterator[Any]:
    """Yield a binary file that takes the place of `path` when the block ends without an exception.

    It has survived a power loss from then on, unless `durable` is off: that is for files that mean nothing after one.
    The folder must exist. Raises OSError; no temporary file stays behind then.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def copy_atomically(source: Path, target: Path, mode: int | None = None) -> None:
    """Replace `target` by a copy of the file `source`, with `source`'s permissions unless `mode` is given."""
    with source.open("rb") as reader:
        permissions = os.fstat(reader.fileno()).st_mode & 0o7777 if mode is None else mode
        with replacing(target, permissions) as writer:
            shutil.copyfileobj(reader, writer, 1024 * 1024)


def write_json(path: Path, value: Any, mode: int = 0o600, *, durable: bool = True) -> None:
    """Write `value` as compact JSON; see `replacing`."""
    write_atomically(path, json.dumps(value, separators=(",", ":"), ensure_ascii=False), mode, durable=durable)


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`.

    Raises FileNotFoundError, other OSError, and ValueError (its text names the file) when it is not JSON in UTF-8.
    """
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Create `path` and its missing parents, durable; only a folder created here gets `mode`."""
    if path.is_dir():
        return
    make_directory(path.parent, mode)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)
    sync_directory(path.parent)


def remove_durably(path: Path) -> None:
    """Remove the file `path`; absence is fine."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; absence is fine. Raises OSError."""
    if path.exists():
        shutil.rmtree(path)


def sync_directory(path: Path) -> None:
    """Make renames, creations and removals in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def once(directory: Path, name: str) -> Iterator[bool]:
    """Yield whether the block has still to do its work; mark it as done when it ends without an exception.

    The marker is the empty file `<name>.done` in `directory` (post-pivot-and-rollback.md 4)::

        with once(workspace, "recert") as todo:
            if todo:
                run_recert()
    """
    marker = directory / f"{name}.done"
    todo = not marker.exists()
    yield todo
    if todo:
        write_atomically(marker, b"")
