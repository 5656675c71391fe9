"""What all of Velero's controllers work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.kube import Client, Kind, Object
from sandbox.velero.injection import Injection
from sandbox.velero.locations import Locations


@dataclass
class Context:
    """One Velero server: its namespace, its doors, and what it is doing."""

    client: Client
    namespace: str
    injection: Injection
    running: set[tuple[Kind, str]] = field(default_factory=set)
    """Backups and Restores in progress, held ones included."""

    def __post_init__(self) -> None:
        self.locations = Locations(self.client, self.namespace)

    def find(self, kind: Kind, name: str) -> Object | None:
        """An object of Velero's namespace."""
        return self.client.find(kind, name, self.namespace)

    def patch(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> Object:
        """Merge into an object of Velero's namespace."""
        return self.client.patch_merge(kind, name, patch, self.namespace)

    def set_status(self, kind: Kind, name: str, **status: Any) -> Object:
        """Merge into the status of an object of Velero's namespace; Velero's kinds have no status subresource."""
        return self.patch(kind, name, {"status": status})
