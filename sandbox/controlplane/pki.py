"""The certificates and keys of a control plane: CA, serving certificate, service account key, client certificates.

Everything lies in one folder and is made once. What is there is used again: a restart, or a copy of the folder, keeps
the identity.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hostops.files import make_directory, write_atomically
from sandbox.controlplane.errors import ControlPlaneError

_CA_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)


class Pki:
    """The folder: ca.crt ca.key apiserver.crt apiserver.key sa.key sa.pub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_certificate, self.ca_key = folder / "ca.crt", folder / "ca.key"
        self.serving_certificate, self.serving_key = folder / "apiserver.crt", folder / "apiserver.key"
        self.service_account_key, self.service_account_public_key = folder / "sa.key", folder / "sa.pub"

    def ensure(self, server_names: Sequence[str]) -> None:
        """Make what is missing; renew the serving certificate when a name is missing or it ends within a month."""
        if not self.ca_certificate.exists():
            self._make_ca()
        if not self._serves(server_names):
            certificate, key = self._issue("kube-apiserver", (), server_names)
            write_private(self.serving_key, key)
            write_private(self.serving_certificate, certificate)
        if not self.service_account_public_key.exists():
            signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = serialization.PublicFormat.SubjectPublicKeyInfo
            write_private(self.service_account_key, _key_pem(signer))
            write_private(
                self.service_account_public_key, signer.public_key().public_bytes(serialization.Encoding.PEM, public)
            )

    def issue_client(self, user: str, groups: Sequence[str]) -> tuple[bytes, bytes]:
        """A client certificate and its key (PEM); the API server takes the user from its CN, the groups from its Os."""
        return self._issue(user, groups, ())

    def _serves(self, names: Sequence[str]) -> bool:
        if not (self.serving_certificate.exists() and self.serving_key.exists()):
            return False
        certificate = _load_certificate(self.serving_certificate)
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fresh = certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
        same_key = certificate.public_key() == _load_key(self.serving_key).public_key()
        return fresh and same_key and set(map(_general_name, names)) <= set(held)

    def _make_ca(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lca-control-plane-ca")])
        authority = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(name, name, key.public_key(), _CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(authority, critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self.ca_key, _key_pem(key))
        write_private(self.ca_certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _issue(self, user: str, groups: Sequence[str], server_names: Sequence[str]) -> tuple[bytes, bytes]:
        ca = _load_certificate(self.ca_certificate)
        ca_key = _load_key(self.ca_key)
        key = ec.generate_private_key(ec.SECP256R1())
        organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, user)])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_names else ExtendedKeyUsageOID.CLIENT_AUTH
        authority = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            _builder(subject, ca.subject, key.public_key(), _LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False)
        )
        if server_names:
            names = [_general_name(name) for name in server_names]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(ca_key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)


def write_private(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that only its owner can read; a missing folder is made likewise."""
    make_directory(path.parent, 0o700)
    write_atomically(path, content)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise _damaged(path) from error


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> ControlPlaneError:
    return ControlPlaneError(
        f"{path} can not be read as PEM; bring it back, or remove {path.parent} for a new cluster identity"
    )


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
