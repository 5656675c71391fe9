"""recert's configuration on the seed node: once to make the image, once to bring the cluster back
(seed-image-and-gitops.md B.9). Pure functions.

The files hold secrets; mode 0600, never logged.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

CLIENT_CA_FILE = "admin-kubeconfig-client-ca.crt"
INGRESS_KEY_FILE = "ingresskey-ingress-operator.key"
PASSWORD_FILE = "kubeadmin-password-hash.txt"  # noqa: S105 - the name of a file
SIGNER_KEY_FILES = {
    "kube-apiserver-lb-signer": "loadbalancer-serving-signer.key",
    "kube-apiserver-localhost-signer": "localhost-serving-signer.key",
    "kube-apiserver-service-network-signer": "service-network-serving-signer.key",
}
"""Common name of an API server's signer -> file that keeps its key."""

CREATION_SUMMARY = "/kubernetes/recert-seed-creation-summary.yaml"
RESTORATION_SUMMARY = "/kubernetes/recert-seed-restoration-summary.yaml"

_DIRECTORIES = ("/kubelet", "/kubernetes", "/machine-config-daemon")
_MACHINE_CONFIG = "/host-etc/mcs-machine-config-content.json"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def build_creation_config(*, has_password: bool) -> dict[str, Any]:
    """Return what makes a seed of the cluster: every certificate expires, an administrator's password is nobody's."""
    return {
        **_start(CREATION_SUMMARY),
        "force_expire": True,
        "etcd_defrag": True,
        "kubeadmin_password_hash": make_password_hash_of_nobody() if has_password else "",
    }


def build_restoration_config(folder: str, *, ingress_common_name: str, password_hash: str) -> dict[str, Any]:
    """Return what makes the cluster usable again, with the keys that `folder` keeps.

    `ingress_common_name` is that of the cluster's own router-ca: recert compares names exactly.
    """
    names = {**SIGNER_KEY_FILES, **({ingress_common_name: INGRESS_KEY_FILE} if ingress_common_name else {})}
    return {
        **_start(RESTORATION_SUMMARY),
        "extend_expiration": True,
        "kubeadmin_password_hash": password_hash,
        "use_key_rules": [f"{name} {folder}/{file}" for name, file in names.items()],
        "use_cert_rules": [f"{folder}/{CLIENT_CA_FILE}"],
    }


def make_password_hash_of_nobody() -> str:
    """Return a bcrypt hash for which nobody knows a password: salt and digest are random."""
    return f"$2a$10${_encode_bcrypt(secrets.token_bytes(16))}{_encode_bcrypt(secrets.token_bytes(23))}"


def _encode_bcrypt(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").translate(bytes.maketrans(_BASE64, _BCRYPT)).decode()


def _start(summary: str) -> dict[str, Any]:
    return {
        "etcd_endpoint": "localhost:2379",
        "crypto_dirs": list(_DIRECTORIES),
        "crypto_files": [_MACHINE_CONFIG],
        "cluster_customization_dirs": list(_DIRECTORIES),
        "cluster_customization_files": [_MACHINE_CONFIG, "/host-etc/mco/proxy.env", "/host-etc/chrony.conf"],
        "summary_file_clean": summary,
    }
