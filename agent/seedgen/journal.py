"""How far a generation is, on the host's disk: the custom resource is deleted in the middle of it.

The file tells what has been done to the cluster, so that it can be gone on with, or taken back, at any point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from hostops import files
from hostops.hostroot import HostRoot
from seeds.creation.workspace import JOURNAL_FILE


class Phase(StrEnum):
    """Parts of a generation. From CLEANING on the cluster is not what it was."""

    STABILIZING = "stabilizing"
    """Waiting for a healthy cluster."""

    PREPARING = "preparing"
    """Getting what is needed; nothing in the cluster is touched."""

    CLEANING = "cleaning"
    """Removing from the cluster what must not be in a seed; the pull secret is replaced."""

    LAUNCHING = "launching"
    """The custom resource is stored on the host; it, its Secret and the upgrade are deleted, the builder is started."""

    BUILDING = "building"
    """The builder was started."""

    UNDOING = "undoing"
    """The generation failed or was called off: the cluster becomes what it was."""


@dataclass(frozen=True, slots=True)
class Journal:
    """`uid` is that of the object that the generation was asked for by, as long as it was not deleted by us.

    `failure` is the reason for the user, "" when the user called it off. `waits` tells since when a step waits.
    """

    phase: Phase
    uid: str
    seed_image: str
    recert_image: str
    builder_image: str = ""
    failure: str = ""
    boot_id: str = ""
    waits: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Any) -> Journal:
        """Read what `Journals.write` wrote. Raises ValueError."""
        try:
            return cls(**{**data, "phase": Phase(data["phase"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"{JOURNAL_FILE}: {error!r}") from error

    def since(self, step: str, now: datetime) -> tuple[Journal, datetime]:
        """Return since when `step` waits, and the journal that says so: from now on, unless it is there already."""
        known = self.waits.get(step)
        if known is not None:
            return self, datetime.fromisoformat(known)
        return replace(self, waits={**self.waits, step: now.isoformat()}), now


class Journals:
    """The one journal of a host. All methods raise OSError."""

    def __init__(self, root: HostRoot) -> None:
        self._path = root.path(JOURNAL_FILE)

    def read(self) -> Journal | None:
        """Return the journal, None when there is none. Raises ValueError when it is damaged."""
        try:
            return Journal.parse(files.read_json(self._path))
        except FileNotFoundError:
            return None

    def write(self, journal: Journal) -> None:
        """Replace it."""
        files.make_directory(self._path.parent, 0o700)
        files.write_json(self._path, asdict(journal))

    def remove(self) -> None:
        """Remove it: there is no generation."""
        files.remove_durably(self._path)
