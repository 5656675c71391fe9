"""The custom resource during a pass: what the server holds, the model of it, and the two ways to change it."""

from __future__ import annotations

from typing import Any

from agent.ibu.kind import IBU, IBU_NAME
from agent.kube import Client, Object
from crds.imagebasedupgrade import ImageBasedUpgrade


class LiveResource:
    """One object, as read in this pass and as changed by it.

    Every write carries the resourceVersion of the last read or write: when somebody else wrote in between, it raises
    `errors.Conflict`, and the pass is to be dropped.
    """

    def __init__(self, client: Client, raw: Object) -> None:
        self._client = client
        self._raw = raw
        self.cr = ImageBasedUpgrade.read(raw)

    @property
    def raw(self) -> Object:
        """The object as the server holds it."""
        return self._raw

    def write_status(self, cr: ImageBasedUpgrade) -> bool:
        """Store the status of `cr` if it differs from the stored one; return whether it did."""
        self.cr = cr
        status = cr.status.write()
        if status == self._raw.get("status", {}):
            return False
        self._raw = self._client.update_status({**self._raw, "status": status})
        return True

    def annotate(self, key: str, value: str | None) -> None:
        """Set an annotation, or (None) remove it, unless it is so already."""
        if self.cr.metadata.annotations.get(key) == value:
            return
        metadata: dict[str, Any] = {"annotations": {key: value}, "resourceVersion": self._version}
        self._raw = self._client.patch_merge(IBU, IBU_NAME, {"metadata": metadata})
        metadata_model = ImageBasedUpgrade.read(self._raw).metadata
        self.cr = self.cr.model_copy(update={"metadata": metadata_model})

    @property
    def _version(self) -> str:
        return str(self._raw["metadata"]["resourceVersion"])
