"""The custom resource during a pass: what the server holds, if anything, the model of it, and its status."""

from __future__ import annotations

from agent.kube import Client, Object
from agent.seedgen.kind import SEEDGEN, SEEDGEN_NAME
from crds.seedgenerator import SeedGenerator


class LiveGenerator:
    """The object as read in this pass and as changed by it; it may not be there.

    A write carries the resourceVersion of the last read or write: when somebody else wrote in between, it raises
    `errors.Conflict`, and the pass is to be dropped.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.raw: Object | None = None
        self.cr: SeedGenerator | None = None
        self.read()

    def read(self) -> None:
        """Read it anew. Raises ApiError."""
        self._take(self._client.find(SEEDGEN, SEEDGEN_NAME))

    def write_status(self, cr: SeedGenerator) -> None:
        """Store the status of `cr` if it differs from the stored one."""
        assert self.raw is not None, "there is no object"
        status = cr.status.write()
        if status == self.raw.get("status", {}):
            return
        self._take(self._client.update_status({**self.raw, "status": status}))

    def _take(self, raw: Object | None) -> None:
        self.raw = raw
        self.cr = None if raw is None else SeedGenerator.read(raw)
