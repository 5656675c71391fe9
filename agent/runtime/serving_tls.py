"""The server side of TLS: certificate files that are replaced while we run, and the cluster's TLS profile."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1_2,  # older than 1.2 is never offered, whatever the profile allows
    "VersionTLS11": ssl.TLSVersion.TLSv1_2,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
_PROFILES = {"Old": "VersionTLS10", "Intermediate": "VersionTLS12", "Modern": "VersionTLS13"}
_INTERMEDIATE_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)


@dataclass(frozen=True, slots=True)
class TlsProfile:
    """Oldest TLS version and the ciphers for TLS 1.2, in OpenSSL's names."""

    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: tuple[str, ...] = _INTERMEDIATE_CIPHERS

    @classmethod
    def of(cls, apiserver: Mapping[str, Any]) -> TlsProfile:
        """Read the profile of `apiservers.config.openshift.io/cluster`; without one it is Intermediate."""
        profile = (apiserver.get("spec") or {}).get("tlsSecurityProfile") or {}
        kind = profile.get("type") or "Intermediate"
        if kind != "Custom":
            return cls(oldest=_VERSIONS[_PROFILES.get(kind, "VersionTLS12")])
        custom = profile.get("custom") or {}
        ciphers = tuple(name for name in custom.get("ciphers") or () if not name.startswith("TLS_"))
        return cls(_VERSIONS.get(custom.get("minTLSVersion", ""), ssl.TLSVersion.TLSv1_2), ciphers)


class ServingCertificate:
    """`tls.crt` and `tls.key` of a folder; calling it returns a context that uses the files as they are now."""

    def __init__(self, directory: Path, profile: TlsProfile) -> None:
        self._certificate, self._key = directory / "tls.crt", directory / "tls.key"
        self._profile = profile
        self._loaded: tuple[int, int] | None = None
        self._context = self._load()

    def __call__(self) -> ssl.SSLContext:
        """Return the context for the next connection; a half-replaced pair of files leaves the old one in use."""
        if self._loaded != self._stamp():
            try:
                self._context = self._load()
            except (OSError, ssl.SSLError):
                return self._context
        return self._context

    def _load(self) -> ssl.SSLContext:
        stamp = self._stamp()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._profile.oldest
        context.set_alpn_protocols(["http/1.1"])
        if self._profile.ciphers and self._profile.oldest < ssl.TLSVersion.TLSv1_3:
            context.set_ciphers(":".join(self._profile.ciphers))
        context.load_cert_chain(self._certificate, self._key)
        self._loaded = stamp
        return context

    def _stamp(self) -> tuple[int, int]:
        try:
            return self._certificate.stat().st_mtime_ns, self._key.stat().st_mtime_ns
        except OSError:
            return (0, 0)
