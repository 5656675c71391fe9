"""The service CA operator: a serving certificate for every Service that asks for one by annotation."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.following import follow

SERVICE = Kind("", "v1", "Service")
SECRET = Kind("", "v1", "Secret")
SIGNER = ("signing-key", "openshift-service-ca")
_ANNOTATIONS = (
    "service.beta.openshift.io/serving-cert-secret-name",
    "service.alpha.openshift.io/serving-cert-secret-name",
)
_LIFE = timedelta(days=730)
_COMMON_NAME_LIMIT = 64  # of X.509; clients look at the alternative names only


class ServiceCertificates:
    """Makes the Secrets that Services name; existing ones stay."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, stop: threading.Event) -> None:
        """Follow the Services until `stop`."""
        for event in follow(self._client, SERVICE, stop):
            name = secret_name(event.object)
            namespace = event.object["metadata"]["namespace"]
            if event.type != "DELETED" and name and self._client.find(SECRET, name, namespace) is None:
                self._make(event.object, name)

    def _make(self, service: Object, name: str) -> None:
        metadata = service["metadata"]
        signer = self._client.get(SECRET, *SIGNER)["data"]
        host = f"{metadata['name']}.{metadata['namespace']}.svc"
        certificate, key = issue_certificate(
            base64.b64decode(signer["tls.crt"]), base64.b64decode(signer["tls.key"]), [host, f"{host}.cluster.local"]
        )
        owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owner]},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate.decode(), "tls.key": key.decode()},
        }
        try:
            self._client.create(secret)
        except (errors.AlreadyExists, errors.NotFound, errors.Forbidden):
            return  # somebody was quicker, or the namespace is going


def secret_name(service: Object) -> str | None:
    """Name of the Secret that the Service wants to have, if any."""
    annotations = service["metadata"].get("annotations") or {}
    return next((annotations[key] for key in _ANNOTATIONS if key in annotations), None)


def issue_certificate(ca_pem: bytes, ca_key_pem: bytes, names: list[str]) -> tuple[bytes, bytes]:
    """Return a serving certificate (followed by its CA) and its key as PEM."""
    authority = x509.load_pem_x509_certificate(ca_pem)
    authority_key = serialization.load_pem_private_key(ca_key_pem, password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey), "signers of a sandbox are elliptic curve keys"
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_COMMON_NAME_LIMIT])]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + ca_pem, private
