"""Stand-in for LVM Storage and topolvm: volumes are folders of a disk that survives pivots.

A claim of a class of topolvm.io gets a LogicalVolume, the LogicalVolume a folder, the claim a PersistentVolume. As on a
node, the LogicalVolume's `status.volumeID` alone connects the objects with the content: an object that comes back
without its status gets a new, empty volume, and the old one stays on disk where nothing refers to it (a rollback finds
it again).

Left out: sizes are noted but not enforced; snapshots, clones, thin pools, raw block volumes, expansion; several nodes.
"""

from sandbox.lvms.definitions import crd_documents
from sandbox.lvms.driver import LvmsDriver
from sandbox.lvms.volumes import VolumeNotFoundError, find_volume

__all__ = ["LvmsDriver", "VolumeNotFoundError", "crd_documents", "find_volume"]
