"""Unpacking archives with SELinux labels, extended attributes and ACLs."""

from __future__ import annotations

import shutil
from pathlib import PurePosixPath

from hostops.hostroot import HostPath, HostRoot
from hostops.runner import Runner

KEEP_ATTRIBUTES = ("--selinux", "--xattrs", "--xattrs-include=*", "--acls")


class LabelledTar:
    """A private copy of the host's tar whose SELinux type may set labels that the running policy does not know.

    The label of the copy is `install_exec_t` (prep.md 7.1); `folder` is a host path that exists.
    """

    def __init__(self, runner: Runner, root: HostRoot, folder: HostPath) -> None:
        self._runner = runner
        self._root = root
        self._program = str(PurePosixPath(folder) / "tar")

    def prepare(self) -> None:
        """Make and label the copy; repeatable. Raises OSError, CommandError."""
        shutil.copy(self._root.path("/usr/bin/tar"), self._root.path(self._program))
        self._runner.run("chcon", "-t", "install_exec_t", self._program)

    def extract(self, archive: str, target: str) -> None:
        """Unpack a gzipped archive into an existing folder, over what is there; host paths. Raises CommandError."""
        self._runner.run(self._program, "xzf", archive, "-C", target, *KEEP_ATTRIBUTES)
