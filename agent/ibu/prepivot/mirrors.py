"""The cluster's mirrors, which the seed's take the place of until they are applied again (upgrade-and-oadp.md 9.2)."""

from __future__ import annotations

from collections.abc import Iterable

from agent.kube import Client, Kind, Object
from seeds.cluster import CONTENT_SOURCE_POLICY, DIGEST_MIRROR_SET, list_served

_FILES = {
    DIGEST_MIRROR_SET: "image-digest-mirror-set.json",
    CONTENT_SOURCE_POLICY: "image-content-source-policy-list.json",
}
_KEPT_METADATA = ("name", "labels", "annotations")


def read_mirrors(client: Client) -> dict[str, Object]:
    """Return file name -> list object, for each kind of which there are any. Raises ApiError."""
    found = {name: (kind, list_served(client, kind)) for kind, name in _FILES.items()}
    return {name: compose_list(kind, objects) for name, (kind, objects) in found.items() if objects}


def compose_list(kind: Kind, objects: Iterable[Object]) -> Object:
    """Return the objects as one, each with what another cluster needs of it. Pure."""
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": {},
        "items": [
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {key: obj["metadata"][key] for key in _KEPT_METADATA if key in obj["metadata"]},
                "spec": obj.get("spec") or {},
            }
            for obj in objects
        ],
    }
