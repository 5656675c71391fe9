"""Makers of Velero's objects as the API server would hold them."""

from __future__ import annotations

from typing import Any

CREATED = "2026-03-01T10:00:00Z"


def make_live(kind: str = "Backup", name: str = "b", **status: Any) -> dict[str, Any]:
    """A Backup or Restore with a status."""
    metadata = {"name": name, "namespace": "openshift-adp", "uid": "1234abcd-0000", "creationTimestamp": CREATED}
    return {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata, "spec": {}, "status": status}
