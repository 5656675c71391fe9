"""The CRDs of Velero and OADP."""

from __future__ import annotations

from pathlib import Path

from agent.kube import Object
from sandbox.definitions import load_definitions

_KINDS = Path(__file__).parent / "kinds"


def crd_documents() -> list[Object]:
    """Return all CRDs that an installed OADP brings."""
    return [*load_definitions(_KINDS / "velero.yaml"), *load_definitions(_KINDS / "oadp.yaml")]
