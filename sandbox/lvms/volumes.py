"""The disk: one folder per logical volume, `<lvm folder>/<volume group>/<volume id>/`."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.kube import Client, Kind, Object
from hostops.files import sync_directory

LOGICAL_VOLUME = Kind("topolvm.io", "v1", "LogicalVolume")
DEFAULT_GROUP = "vg1"


class VolumeNotFoundError(Exception):
    """A volume cannot be mounted; the text is topolvm's."""


class Disk:
    """The volumes in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, group: str, volume_id: str) -> Path:
        """Where the content of a volume lies."""
        return self._folder / group / volume_id

    def create(self, group: str, volume_id: str) -> None:
        """Make an empty volume, durably; one that exists stays as it is."""
        path = self.path(group, volume_id)
        path.mkdir(parents=True, exist_ok=True)
        sync_directory(path.parent)

    def remove(self, group: str, volume_id: str) -> None:
        """Remove a volume with its content; one that is gone is fine."""
        path = self.path(group, volume_id)
        if path.exists():
            shutil.rmtree(path)


def find_volume(client: Client, folder: Path, handle: str) -> Path:
    """The content of the PersistentVolume with this `csi.volumeHandle`, as the node would mount it.

    Raises VolumeNotFoundError when no LogicalVolume has that id in its status, or its content is not on the disk.
    """
    for volume in client.list(LOGICAL_VOLUME):
        if (volume.get("status") or {}).get("volumeID") == handle:
            path = Disk(folder).path(group_of(volume), handle)
            if path.is_dir():
                return path
            raise VolumeNotFoundError(f"rpc error: code = Internal desc = failed to find logical volume {handle}")
    raise VolumeNotFoundError("rpc error: code = Unknown desc = VolumeID is not found")


def group_of(volume: Object) -> str:
    """The volume group of a LogicalVolume: its device class has the same name."""
    return str(volume["spec"].get("deviceClass") or DEFAULT_GROUP)
