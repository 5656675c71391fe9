"""Asking a server of the control plane whether it is well."""

from __future__ import annotations

import http.client
import os
import ssl
from contextlib import suppress

from sandbox.controlplane.pki import Pki
from sandbox.controlplane.ports import LOOPBACK

_ANSWER_SECONDS = 5


class Probe:
    """GET requests with verified TLS, as an administrator known by a client certificate."""

    def __init__(self, pki: Pki) -> None:
        self._context = ssl.create_default_context(cafile=str(pki.ca_certificate))
        certificate, key = pki.issue_client("readiness-probe", ["system:masters"])
        # ssl reads certificates from files only; this one is in memory, so that no kill leaves it behind.
        with os.fdopen(os.memfd_create("probe"), "wb") as both:
            both.write(certificate + key)
            both.flush()
            self._context.load_cert_chain(f"/proc/self/fd/{both.fileno()}")

    def is_well(self, port: int, path: str) -> bool:
        """Whether the server on that port answers the path with 200; one that does not answer is not well."""
        connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=_ANSWER_SECONDS, context=self._context)
        with suppress(OSError, http.client.HTTPException):
            try:
                connection.request("GET", path)
                return connection.getresponse().status == http.client.OK
            finally:
                connection.close()
        return False
