"""What makes a cluster itself: keys and certificates of its signers, passwords, names; made anew at each first boot."""

from __future__ import annotations

import json
import secrets
import string
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.cluster.config import ClusterConfig
from sandbox.controlplane.pki import Pki

_SIGNER_LIFE = timedelta(days=3650)
_BCRYPT_ALPHABET = string.ascii_letters + string.digits + "./"


def make_variables(config: ClusterConfig, pull_secret: str) -> dict[str, str]:
    """Return every variable of the object templates, with fresh secrets. `pull_secret` is a dockerconfigjson."""
    pki = Pki(config.pki)
    ca_certificate, ca_key = pki.ca_certificate.read_text(), pki.ca_key.read_text()
    store = config.object_store
    return {
        **({f"s3_{name}": value for name, value in store.model_dump().items()} if store else {}),
        "base_domain": config.base_domain,
        "cluster_id": config.cluster_id,
        "cluster_name": config.cluster_name,
        "domain": config.domain,
        "infra_id": config.infra_id,
        "machine_network": config.machine_network,
        "minor_version": ".".join(config.version.split(".")[:2]),
        "release_image": config.release_image,
        "rendered_id": secrets.token_hex(16),
        "kubeadmin_password_hash": _password_hash_of_nobody(),
        "pull_secret": pull_secret,
        "client_ca.crt": ca_certificate,
        "loadbalancer_signer.crt": ca_certificate,
        "loadbalancer_signer.key": ca_key,
        **_make_signer("localhost_signer", "kube-apiserver-localhost-signer"),
        **_make_signer("service_network_signer", "kube-apiserver-service-network-signer"),
        **_make_signer("service_ca", f"openshift-service-serving-signer@{int(time.time())}"),
        **_make_signer("router_ca", f"ingress-operator@{int(time.time())}"),
    }


def read_pull_secret(config_json: Path, registry: str) -> str:
    """The node's pull secret if it has one already, else one for `registry` that opens nothing."""
    if config_json.exists():
        return config_json.read_text().strip()
    return json.dumps({"auths": {registry: {"auth": "c2FuZGJveDpzYW5kYm94"}}})


def _password_hash_of_nobody() -> str:
    return "$2a$10$" + "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(53))


def _make_signer(variable: str, common_name: str) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _SIGNER_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        f"{variable}.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        f"{variable}.key": private.decode(),
    }
