"""The CRDs of LVM Storage and topolvm."""

from __future__ import annotations

from pathlib import Path

from agent.kube import Object
from sandbox.definitions import load_definitions


def crd_documents() -> list[Object]:
    """Return all CRDs that an installed LVM Storage brings."""
    return load_definitions(Path(__file__).parent / "kinds" / "topolvm.yaml")
