"""Until when the other release can be booted: real certificates in real files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.pivot.certificates import CertificateError, ExpirationUnknown, find_expiration, read_end
from hostops.hostroot import HostRoot

END = datetime(2030, 1, 1, tzinfo=UTC)
PKI = "var/lib/kubelet/pki"


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def make_certificate(key: ec.EllipticCurvePrivateKey, end: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "system:node:sno1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, end - timedelta(days=1), end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def write_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL)
    return key.private_bytes(*form, serialization.NoEncryption())


def make_pem(*ends: datetime) -> bytes:
    key = make_key()
    return b"".join(make_certificate(key, end) for end in ends) + write_key(key)


@pytest.fixture
def root(tmp_path: Path) -> HostRoot:
    (tmp_path / "ostree/deploy/rhcos" / PKI).mkdir(parents=True)
    return HostRoot(tmp_path)


def place(root: HostRoot, name: str, content: bytes, link: str | None = None) -> None:
    folder = root.visible / "ostree/deploy/rhcos" / PKI
    (folder / f"{name}-2026.pem").write_bytes(content)
    (folder / f"kubelet-{name}-current.pem").symlink_to(link or f"/{PKI}/{name}-2026.pem")


def test_expiration_is_that_of_the_first_to_end_less_half_an_hour(root: HostRoot) -> None:
    place(root, "client", make_pem(END + timedelta(days=80)))
    place(root, "server", make_pem(END))
    assert find_expiration(root, "rhcos") == END - timedelta(minutes=30)


def test_expiration_of_a_chain_counts_every_certificate(root: HostRoot) -> None:
    place(root, "client", make_pem(END, END - timedelta(days=1)))
    assert find_expiration(root, "rhcos") == END - timedelta(days=1, minutes=30)


def test_link_leads_below_the_stateroot_and_not_to_the_running_system(root: HostRoot) -> None:
    place(root, "client", make_pem(END))
    booted = root.visible / PKI
    booted.mkdir(parents=True)
    (booted / "client-2026.pem").write_bytes(make_pem(END - timedelta(days=300)))
    assert find_expiration(root, "rhcos") == END - timedelta(minutes=30)


def test_unreadable_file_is_skipped(root: HostRoot) -> None:
    place(root, "client", b"half of it")
    place(root, "server", make_pem(END))
    assert find_expiration(root, "rhcos") == END - timedelta(minutes=30)


def test_nothing_readable_is_unknown(root: HostRoot) -> None:
    place(root, "client", b"\0")
    place(root, "server", make_pem(END), link=f"/{PKI}/kubelet-server-current.pem")
    folder = root.visible / "ostree/deploy/rhcos"
    with pytest.raises(ExpirationUnknown, match=f"unable to determine control plane expiry for staterootPath={folder}"):
        find_expiration(root, "rhcos")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(make_certificate(make_key(), END), id="no-key"),
        pytest.param(write_key(make_key()), id="no-certificate"),
        pytest.param(make_certificate(make_key(), END) + write_key(make_key()), id="another-key"),
        pytest.param(b"", id="empty"),
    ],
)
def test_file_that_is_no_pair_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pem").write_bytes(content)
    with pytest.raises(CertificateError, match=r"x\.pem"):
        read_end(tmp_path / "x.pem")
