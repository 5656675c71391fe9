"""The custom resource saved on the host: `/var/lib/lca/ibu.json` carries it over reboots and deletions (ibu-api.md 8).

The file is compact JSON of the whole object. Who writes it *before* a reboot that may not happen adds the boot's id
under `savedInBoot`; such a file counts only in another boot. Other writers and readers of this file ignore that key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from agent.kube import Object
from hostops.files import remove_durably, sync_directory, write_json
from hostops.hostroot import HostRoot

SAVED_PATH = "/var/lib/lca/ibu.json"
_BOOT_KEY = "savedInBoot"
_OF_ONE_CLUSTER = (
    *("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "deletionTimestamp"),
    *("deletionGracePeriodSeconds", "selfLink"),
    # An owner that the other cluster does not have: the garbage collector would delete the resource.
    "ownerReferences",
)
_SIZE_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Damaged:
    """The file was there but could not be used; it lies in `moved_to` now."""

    reason: str
    moved_to: str


class Disposal(Enum):
    """What becomes of the saved file when somebody deletes the custom resource (ibu-api.md 8.3)."""

    SAVE = "save the deleted object, so that it comes back as it was"
    FORGET = "remove the file, so that a fresh resource is made"
    LEAVE = "leave the file alone"


def dispose_deleted(obj: Object) -> Disposal:
    """Decide by the last state of a deleted resource: idle and failed rollbacks start afresh, work in progress returns.

    A resource that never had a condition holds nothing to bring back.
    """
    conditions = {item.get("type"): item for item in (obj.get("status") or {}).get("conditions") or ()}
    if not conditions:
        return Disposal.LEAVE
    is_idle = conditions.get("Idle", {}).get("status") == "True"
    is_rollback_failed = conditions.get("RollbackCompleted", {}).get("status") == "False"
    return Disposal.FORGET if is_idle or is_rollback_failed else Disposal.SAVE


def prepare_for_create(saved: Object, *, api_version: str, kind: str) -> Object:
    """Return the object to create: annotations and labels stay, what only the old cluster knows is dropped."""
    metadata = {key: value for key, value in (saved.get("metadata") or {}).items() if key not in _OF_ONE_CLUSTER}
    obj: Object = drop_nulls({"metadata": metadata, "spec": saved.get("spec") or {}})
    return {"apiVersion": api_version, "kind": kind, **obj}


def drop_nulls(value: Any) -> Any:
    """Return `value` without keys that hold null: another writer stores unset times that way."""
    if isinstance(value, dict):
        return {key: drop_nulls(item) for key, item in value.items() if item is not None}
    return [drop_nulls(item) for item in value] if isinstance(value, list) else value


class SavedResource:
    """The saved custom resource of one root: the running system's, or that of the stateroot to boot next.

    `has_left` is asked about a file that was saved for after a reboot, in the boot of the given id, an earlier one:
    did that reboot take place?
    """

    def __init__(
        self,
        root: HostRoot,
        *,
        boot_id: str | None = None,
        path: str = SAVED_PATH,
        has_left: Callable[[Object, str], bool] = lambda saved, boot_id: True,
    ) -> None:
        self._path = root.path(path)
        self._host_path = path
        self._boot_id = boot_id
        self._has_left = has_left

    def save(self, obj: Object, *, only_after_reboot: bool = False) -> None:
        """Write `obj`, replacing an older one; the folder must exist. Raises OSError, ValueError without a boot id."""
        if only_after_reboot and self._boot_id is None:
            raise ValueError("a file that counts after a reboot only needs the id of this boot")
        write_json(self._path, {**obj, _BOOT_KEY: self._boot_id} if only_after_reboot else obj)

    def load(self) -> Object | Damaged | None:
        """Return the object to restore, None when there is none, `Damaged` after moving an unusable file aside.

        Raises OSError when the disk can not be read.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            saved = _parse(content)
        except ValueError as error:
            return self.move_aside(str(error))
        saved_in_boot = saved.pop(_BOOT_KEY, None)
        if saved_in_boot is None:
            return saved
        return saved if saved_in_boot != self._boot_id and self._has_left(saved, str(saved_in_boot)) else None

    def exists(self) -> bool:
        """Tell whether there is a file, without reading it."""
        return self._path.exists()

    def remove(self) -> None:
        """Remove the file; absence is fine."""
        remove_durably(self._path)

    def move_aside(self, reason: str) -> Damaged:
        """Rename the file to `*.bad`, so that it can be looked at, and never read it again."""
        self._path.replace(self._path.with_name(f"{self._path.name}.bad"))
        sync_directory(self._path.parent)
        return Damaged(reason, f"{self._host_path}.bad")


def _parse(content: bytes) -> Object:
    if len(content) > _SIZE_LIMIT_BYTES:
        raise ValueError(f"{len(content)} bytes are more than an API object can have")
    if not content.strip(b"\0 \t\r\n"):
        raise ValueError("the file is empty")
    try:
        saved = json.loads(content)
    except ValueError:
        try:
            saved = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
        except yaml.YAMLError as error:
            raise ValueError(f"neither JSON nor YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(saved, dict) or not isinstance(saved.get("spec"), dict):
        raise ValueError("it holds no custom resource")
    return saved
