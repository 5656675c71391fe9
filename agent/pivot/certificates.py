"""Until when the other release can be booted safely: then certificates of its kubelet have expired (ibu-api.md 4)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from hostops.hostroot import HostRoot
from hostops.stateroots import stateroot_path

log = logging.getLogger(__name__)

CERTIFICATES = (
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
    "/var/lib/kubelet/pki/kubelet-server-current.pem",
)
MARGIN = timedelta(minutes=30)
"""What the release takes to come up and renew them."""


class CertificateError(Exception):
    """A file does not hold a certificate with its key."""


class ExpirationUnknown(Exception):  # noqa: N818 - an answer, not a failure of ours
    """None of the certificates can be read; the text names the stateroot's folder."""


def find_expiration(root: HostRoot, stateroot: str) -> datetime:
    """Return the end of the first certificate of the kubelet in `stateroot`, less a margin, in UTC.

    The files are links whose targets count inside that stateroot, not on the running system. What can not be read is
    skipped and logged. Raises ExpirationUnknown.
    """
    folder = root.path(stateroot_path(stateroot))
    ends = []
    for name in CERTIFICATES:
        try:
            ends.append(read_end(HostRoot(folder).resolve(name)))
        except (OSError, CertificateError) as error:
            log.warning("certificate skipped", extra={"file": name, "stateroot": stateroot, "reason": str(error)})
    if not ends:
        raise ExpirationUnknown(f"unable to determine control plane expiry for staterootPath={folder}")
    return min(ends) - MARGIN


def read_end(path: Path) -> datetime:
    """Return the earliest end of the certificates in a PEM file that also holds their key.

    Raises OSError and CertificateError.
    """
    from cryptography import x509  # needed once per upgrade, and large
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    content = path.read_bytes()
    try:
        chain = x509.load_pem_x509_certificates(content)
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{path}: {error}") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if chain[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise CertificateError(f"{path}: the certificate is of another key")
    return min(certificate.not_valid_after_utc for certificate in chain)
