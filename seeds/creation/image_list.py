"""`containers.list`: the images that a target pulls before the pivot (seed-image-and-gitops.md B.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.kube import Client, Kind, Object, errors

CATALOG_SOURCE = Kind("operators.coreos.com", "v1alpha1", "CatalogSource")
SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")

_CATALOG = re.compile(r"^registry\.redhat\.io/redhat/.+-index:.+")
_OTHER_PLATFORM = re.compile(r"-for-microsoft-azure|-for-gcp|-for-csi")


def choose_images(
    stored: Iterable[str], catalogs: Iterable[str], related: Iterable[str], recert_image: str
) -> list[str]:
    """Return the `stored` images but those of catalogs, recert, and operators' `related` ones, each once.

    Catalogs are left out because they belong to the seed's own registry mirrors.
    """
    dropped = set(catalogs)
    kept = [image for image in stored if image not in dropped and not _CATALOG.search(image)]
    wanted = [image for image in related if not _OTHER_PLATFORM.search(image)]
    return [image for image in dict.fromkeys((*kept, recert_image, *wanted)) if image]


def list_catalog_images(client: Client) -> list[str]:
    """Return the images of all CatalogSources. Raises ApiError."""
    return [str((source.get("spec") or {}).get("image", "")) for source in _list_served(client, CATALOG_SOURCE)]


def list_related_images(client: Client) -> list[str]:
    """Return the images that installed operators say they need. Raises ApiError."""
    return [
        str(entry.get("image", ""))
        for version in _list_served(client, SERVICE_VERSION)
        for entry in (version.get("spec") or {}).get("relatedImages") or ()
    ]


def _list_served(client: Client, kind: Kind) -> list[Object]:
    try:
        return client.list(kind)
    except errors.KindNotServed:
        return []
