"""Where the operator and the builder that it launches meet on the host (seed-image-and-gitops.md A.3)."""

from __future__ import annotations

from hostops import files
from hostops.hostroot import HostRoot

WORKSPACE = "/var/lib/lca/ibu-seedgen-orch"
AUTH_FILE = f"{WORKSPACE}/auth.json"
"""Credentials for the registry that the image is pushed to."""

ERROR_FILE = f"{WORKSPACE}/builder-error"
"""Why the builder failed, in a line; the operator tells it to the user."""

JOURNAL_FILE = f"{WORKSPACE}/journal.json"
"""How far a generation is."""

BUILDER_CONTAINER = "lca_image_builder"
BUILDER_UNIT = "lca-generate-seed-image"

_PHASES_BEFORE_CHANGES = ("stabilizing", "preparing")


def is_cluster_claimed(root: HostRoot) -> bool:
    """Whether seed generation is changing the cluster: nobody else may begin anything then. Raises OSError."""
    try:
        return files.read_json(root.path(JOURNAL_FILE)).get("phase") not in _PHASES_BEFORE_CHANGES
    except FileNotFoundError:
        return False
    except (ValueError, AttributeError):  # seed generation mends a damaged file
        return True
