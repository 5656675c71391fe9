"""Kubeconfig files: one cluster, one user, everything embedded, readable by their owner only."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from sandbox.controlplane.pki import write_private


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    ca_pem: bytes,
    user: str,
    token: str | None = None,
    certificate: tuple[bytes, bytes] | None = None,
) -> None:
    """Write a kubeconfig whose user is known by a token or by a client certificate and key (PEM)."""
    credentials: dict[str, str] = {}
    if token is not None:
        credentials["token"] = token
    if certificate is not None:
        credentials["client-certificate-data"], credentials["client-key-data"] = map(_encode, certificate)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": server, "certificate-authority-data": _encode(ca_pem)}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user}}],
        "current-context": "sandbox",
    }
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())


def _encode(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
