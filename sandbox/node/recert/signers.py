"""Keys and certificates of the cluster's signers: kept where a rule names a key, made anew otherwise."""

from __future__ import annotations

import base64
import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from sandbox.controlplane.pki import Pki, write_private
from sandbox.node.recert.etcd import Objects

LOADBALANCER_SIGNER = "kube-apiserver-lb-signer"
_SIGNERS = "/registry/secrets/openshift-kube-apiserver-operator/"
_SECRETS = {
    f"{_SIGNERS}loadbalancer-serving-signer": LOADBALANCER_SIGNER,
    f"{_SIGNERS}localhost-serving-signer": "kube-apiserver-localhost-signer",
    f"{_SIGNERS}service-network-serving-signer": "kube-apiserver-service-network-signer",
}
_ROUTER_CA = "/registry/secrets/openshift-ingress-operator/router-ca"
_CLIENT_CA = "/registry/configmaps/openshift-config/admin-kubeconfig-client-ca"
_LIFE = timedelta(days=3650)


def renew_signers(
    objects: Objects, keys: dict[str, bytes], renames: dict[str, str], client_ca: str | None, pki: Pki
) -> Objects:
    """Return the signers' Secrets and the client CA's ConfigMap as they shall be, and replace the CA in `pki`.

    `keys` maps common names to keys (PEM); a signer without one gets a new key. The CA of the API server is the
    load balancer's signer: clients that trusted it before go on trusting it if its key is kept.
    """
    written: Objects = {}
    for key, name in _SECRETS.items():
        if key in objects:
            common_name = _common_name(objects[key]) if name == LOADBALANCER_SIGNER else name
            written[key] = _renew(objects[key], common_name, keys.get(name))
    if _ROUTER_CA in objects:
        old = _common_name(objects[_ROUTER_CA])
        written[_ROUTER_CA] = _renew(objects[_ROUTER_CA], renames.get(old, old), keys.get(old))
    signer = written.get(f"{_SIGNERS}loadbalancer-serving-signer")
    if signer is not None:
        ca = _decode(signer["data"]["tls.crt"])
        write_private(pki.ca_key, _decode(signer["data"]["tls.key"]))
        write_private(pki.ca_certificate, ca)
        # The next start of the API server issues new ones.
        pki.serving_certificate.unlink(missing_ok=True)
        pki.serving_key.unlink(missing_ok=True)
        if _CLIENT_CA in objects:
            written[_CLIENT_CA] = copy.deepcopy(objects[_CLIENT_CA])
            written[_CLIENT_CA]["data"] = {"ca-bundle.crt": client_ca or ca.decode()}
    return written


def make_ssh_host_keys(folder: Path) -> None:
    """Replace the host keys of the SSH server."""
    for path in folder.glob("ssh_host_*_key*"):
        path.unlink()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, private = serialization.Encoding, serialization.PrivateFormat.OpenSSH
    write_private(folder / "ssh_host_rsa_key", key.private_bytes(encoding.PEM, private, serialization.NoEncryption()))
    public = key.public_key().public_bytes(encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (folder / "ssh_host_rsa_key.pub").write_bytes(public + b"\n")


def _renew(secret: dict[str, Any], common_name: str, key_pem: bytes | None) -> dict[str, Any]:
    key = serialization.load_pem_private_key(key_pem, None) if key_pem else ec.generate_private_key(ec.SECP256R1())
    assert isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))
    private = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    certificate = _issue_self_signed(common_name, key)
    renewed = copy.deepcopy(secret)
    renewed["data"] = {**secret["data"], "tls.key": _encode(pem), "tls.crt": _encode(certificate)}
    return renewed


def _issue_self_signed(common_name: str, key: CertificateIssuerPrivateKeyTypes) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False),
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _common_name(secret: dict[str, Any]) -> str:
    certificate = x509.load_pem_x509_certificate(_decode(secret["data"]["tls.crt"]))
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text)
