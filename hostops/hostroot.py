"""Host paths and where this process sees them: one mapping, one type."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

HostPath: TypeAlias = str | PurePosixPath
"""An absolute path as the host knows it. What `HostRoot` returns is a `Path` that this process can open."""

MAX_LINKS = 40
"""Symbolic links followed before a path counts as a loop, as in the kernel."""


@dataclass(frozen=True, slots=True)
class HostRoot:
    """The folder below which this process sees the host's root, `/` on the host itself.

    A stateroot's folder is a root as well: links in it are absolute for the system that boots from it.
    """

    visible: Path

    @classmethod
    def detect(cls, mount: Path = Path("/host")) -> HostRoot:
        """Return `mount` when that folder exists (in a pod), else `/`."""
        return cls(mount if mount.is_dir() else Path("/"))

    def path(self, host_path: HostPath) -> Path:
        """Return where this process sees `host_path`; links are not looked at.

        Raises ValueError when the path is relative or climbs with `..`.
        """
        path = PurePosixPath(host_path)
        if not path.is_absolute() or ".." in path.parts:
            raise ValueError(f"not an absolute host path: {host_path}")
        return self.visible.joinpath(*path.parts[1:])

    def host_path(self, visible: Path) -> str:
        """Return the host's name of a path below this root; the inverse of `path`."""
        return "/" + str(visible.relative_to(self.visible)).removeprefix(".")

    def resolve(self, host_path: HostPath) -> Path:
        """Return where this process sees `host_path` after following all links *inside* this root.

        Missing components are kept as they are. Raises OSError (ELOOP) on a loop of links.
        """
        pending = list(reversed(PurePosixPath(host_path).parts[1:]))
        resolved: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                resolved = resolved[:-1]
                continue
            here = self.visible.joinpath(*resolved, part)
            if not here.is_symlink():
                resolved.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(40, os.strerror(40), str(host_path))
            target = PurePosixPath(here.readlink())
            if target.is_absolute():
                resolved = []
            pending.extend(reversed([name for name in target.parts if name != "/"]))
        return self.visible.joinpath(*resolved)
