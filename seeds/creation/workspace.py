"""Where the operator and the builder that it launches meet on the host (seed-image-and-gitops.md A.3)."""

from __future__ import annotations

WORKSPACE = "/var/lib/lca/ibu-seedgen-orch"
AUTH_FILE = f"{WORKSPACE}/auth.json"
"""Credentials for the registry that the image is pushed to."""

ERROR_FILE = f"{WORKSPACE}/builder-error"
"""Why the builder failed, in a line; the operator tells it to the user."""

BUILDER_CONTAINER = "lca_image_builder"
BUILDER_UNIT = "lca-generate-seed-image"
