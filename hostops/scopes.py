"""Where a host command runs: a scope is nothing but an argv prefix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Scope:
    """A named argv prefix; the name appears in the log when a command fails."""

    name: str
    prefix: tuple[str, ...] = ()

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the argv that runs `argv` in this scope."""
        return self.prefix + argv


DIRECT = Scope("direct")
"""On the host itself."""

NSENTER = Scope("nsenter", ("nsenter", "--target", "1", "--cgroup", "--mount", "--ipc", "--net", "--pid", "--"))
"""In the namespaces of the host's init, from a privileged container (seed-image-and-gitops.md B.1)."""


def chroot_scope(root: Path = Path("/host")) -> Scope:
    """Return the scope of a container that sees the host's files below `root` (prep.md 2.2).

    `chroot` changes to `/`, and `env` looks the program up in the host's PATH, not in the container's.
    """
    return Scope("chroot", ("chroot", str(root), "/usr/bin/env", "--"))


def host_scope(root: Path = Path("/host")) -> Scope:
    """Return `chroot_scope` where the host's files are mounted below `root`, else `DIRECT`."""
    return chroot_scope(root) if root.is_dir() else DIRECT
