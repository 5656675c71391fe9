"""recert's configuration on the seed node: once to make the image, once to bring the cluster back
(seed-image-and-gitops.md B.9). Pure functions.
"""

from __future__ import annotations

import base64
import secrets

from seeds.recert import CLIENT_CA_FILE, INGRESS_KEY_FILE, KeptKeys, RecertConfig, make_key_rules, start_config

PASSWORD_FILE = "kubeadmin-password-hash.txt"  # noqa: S105 - the name of a file
CREATION_SUMMARY = "/kubernetes/recert-seed-creation-summary.yaml"
RESTORATION_SUMMARY = "/kubernetes/recert-seed-restoration-summary.yaml"

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def build_creation_config(*, has_password: bool) -> RecertConfig:
    """Return what makes a seed of the cluster: every certificate expires, an administrator's password is nobody's."""
    return {
        **start_config(make_password_hash_of_nobody() if has_password else "", CREATION_SUMMARY),
        "force_expire": True,
        "etcd_defrag": True,
    }


def build_restoration_config(folder: str, *, ingress_common_name: str, password_hash: str) -> RecertConfig:
    """Return what makes the cluster usable again, with the keys that `folder` keeps.

    `ingress_common_name` is that of the cluster's own router-ca: recert compares names exactly.
    """
    kept = KeptKeys(folder, [INGRESS_KEY_FILE])
    return {
        **start_config(password_hash, RESTORATION_SUMMARY),
        "extend_expiration": True,
        "use_key_rules": make_key_rules(kept, ingress_common_name),
        "use_cert_rules": [f"{folder}/{CLIENT_CA_FILE}"],
    }


def make_password_hash_of_nobody() -> str:
    """Return a bcrypt hash for which nobody knows a password: salt and digest are random."""
    return f"$2a$10${_encode_bcrypt(secrets.token_bytes(16))}{_encode_bcrypt(secrets.token_bytes(23))}"


def _encode_bcrypt(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").translate(bytes.maketrans(_BASE64, _BCRYPT)).decode()
