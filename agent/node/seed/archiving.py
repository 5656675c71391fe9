"""Packs the archives straight into layers of the image (seed-image-and-gitops.md B.10)."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from agent.node.seed.places import BACKUP, LAYOUT
from agent.node.seed.progress import Progress
from hostops import files
from hostops.archive import CHANGED_WHILE_READ, Packing, pack
from hostops.hostroot import HostRoot
from hostops.oci import Layer, write_layer
from hostops.ostree import Ostree
from hostops.runner import Runner, shorten_middle
from seeds import format as seed_format
from seeds.creation.archives import (
    CURRENT_MACHINE_CONFIG,
    format_deletions,
    list_managed_files,
    pack_etc,
    pack_repository,
    pack_var,
)
from seeds.creation.room import ContentSize
from seeds.format import SeedFormatError

logger = logging.getLogger(__name__)

_NOTE_SUFFIX = ".layer.json"
_COMPLAINT_LIMIT = 2000


class Archives:
    """The archives of one image. All methods raise CommandError, OSError."""

    def __init__(self, host: Runner, root: HostRoot) -> None:
        self._host = host
        self._root = root
        self._size = ContentSize(0, 0)

    def expect(self, size: ContentSize) -> None:
        """Tell how much is coming, for the progress."""
        self._size = size

    def pack_repository(self) -> None:
        """Pack the ostree repository; it may not change meanwhile."""
        self._pack(seed_format.OSTREE_ARCHIVE, pack_repository(), self._size.repository_bytes)

    def pack_var(self) -> None:
        """Pack `/var`. Raises SeedFormatError when files that the machine config demands are missing."""
        try:
            config = self._root.path(CURRENT_MACHINE_CONFIG).read_bytes()
        except OSError as error:
            raise SeedFormatError(f"unable to read MCD currentconfig: {error}") from error
        managed = list_managed_files(config)
        missing = [path for path in managed if not self._root.path(path).exists()]
        if missing:
            raise SeedFormatError(f"the current machine config demands files that are missing: {', '.join(missing)}")
        self._pack(seed_format.VAR_ARCHIVE, pack_var(managed), self._size.var_bytes, lenient=True)

    def pack_etc(self) -> None:
        """Pack the changes of `/etc`, and list what was removed from it."""
        changes = Ostree(self._host).config_diff()
        deletions = self._root.path(f"{BACKUP}/{seed_format.ETC_DELETIONS}")
        files.write_atomically(deletions, format_deletions(changes), 0o644, durable=False)
        self._pack(seed_format.ETC_ARCHIVE, pack_etc(changes), 0, lenient=True)

    def _pack(self, name: str, packing: Packing, expected_bytes: int, *, lenient: bool = False) -> None:
        progress = Progress(name, expected_bytes)
        accepted = (0, CHANGED_WHILE_READ) if lenient else (0,)
        with write_layer(self._root.path(LAYOUT), name) as file:
            result = pack(self._host, packing, file.sink, ok=accepted, on_progress=progress.tell)
        if result.code:
            logger.warning("%s: %s", name, shorten_middle(result.output, _COMPLAINT_LIMIT))
        files.write_json(self._root.path(f"{BACKUP}/{name}{_NOTE_SUFFIX}"), asdict(file.layer), durable=False)
        logger.info("%s: %d MiB", name, file.layer.size_bytes // 1024**2, extra={"seconds": round(result.seconds, 3)})


def read_layers(backup: Path) -> list[Layer]:
    """Return the archives that were packed, in the order of their names. Raises OSError, ValueError."""
    return [Layer(**files.read_json(path)) for path in sorted(backup.glob(f"*{_NOTE_SUFFIX}"))]
