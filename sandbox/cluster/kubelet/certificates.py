"""The kubelet's own certificates, where a rollback looks for their end (`kubelet-*-current.pem`)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sandbox.controlplane.pki import Pki, write_private

FOLDER = Path("/var/lib/kubelet/pki")


def ensure_certificates(pki: Pki, node_root: Path, node_name: str) -> None:
    """Make what is missing: a file of certificate and key, and an absolute link to it that names the current one."""
    folder = node_root / FOLDER.relative_to("/")
    for usage in ("client", "server"):
        current = folder / f"kubelet-{usage}-current.pem"
        if current.is_symlink():
            continue
        name = f"kubelet-{usage}-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}.pem"
        certificate, key = pki.issue_client(f"system:node:{node_name}", ("system:nodes",))
        write_private(folder / name, certificate + key)
        current.symlink_to(FOLDER / name)
