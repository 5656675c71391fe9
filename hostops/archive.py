"""Packing and unpacking archives with SELinux labels, extended attributes and ACLs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from hostops.compression import gzip_into
from hostops.hostroot import HostPath, HostRoot
from hostops.runner import Result, Runner
from hostops.streaming import stream_command

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


@dataclass(frozen=True, slots=True)
class Packing:
    """What goes into an archive: `members` below the host path `folder`.

    `excludes` are patterns of tar for names as they stand in the archive; they do not touch `kept`, names of files that
    are wanted in any case. With `whole_trees` off a folder among the members stands for itself alone.
    """

    folder: str
    members: Sequence[str]
    excludes: Sequence[str] = ()
    kept: Sequence[str] = ()
    whole_trees: bool = True

    def argv(self) -> tuple[str, ...]:
        """Return tar's command line: names come from its standard input, the archive goes to its standard output."""
        words = ["tar", "-cf", "-", "-C", self.folder]
        # Excludes count for what stands behind them only.
        words += [f"--add-file={name}" for name in self.kept]
        words += [f"--exclude={pattern}" for pattern in self.excludes]
        words += [*KEEP_ATTRIBUTES, *(() if self.whole_trees else ("--no-recursion",))]
        return (*words, "--null", "--files-from=-")


CHANGED_WHILE_READ = 1
"""tar's exit code when a file changed while it was read, or vanished before."""

_CHUNK_BYTES = 1024**2


def pack(
    runner: Runner,
    packing: Packing,
    sink: BinaryIO,
    *,
    ok: Sequence[int] = (0,),
    on_progress: Callable[[int], None] = lambda read_bytes: None,
) -> Result:
    """Write the gzipped archive to `sink`; `on_progress` gets the number of plain bytes so far.

    `output` of the result is what tar complained about. Raises CommandError, OSError.
    """

    def compress(source: BinaryIO) -> None:
        total = 0
        with gzip_into(sink) as writer:
            while chunk := source.read(_CHUNK_BYTES):
                writer.write(chunk)
                total += len(chunk)
                on_progress(total)

    return stream_command(runner, packing.argv(), compress, input="\0".join(packing.members), ok=ok)
