"""Files that Velero keeps in the object store, read as `velero describe` and `velero logs` read them.

A DownloadRequest makes Velero sign a URL; the file behind it is fetched from the store itself and unpacked on the fly.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import secrets
import ssl
import time
import urllib.request
import zlib
from collections.abc import Generator, Iterator

from agent.kube import Client, errors
from agent.velero.names import DOWNLOAD_REQUEST, OADP_NAMESPACE

log = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_LONGEST_NAME = 253
_SILENCE_SECONDS = 5.0
"""The store may keep us waiting for so long at a time."""


class DownloadError(Exception):
    """A file could not be had; the text never holds the URL, which is a credential."""


def download(client: Client, target: str, name: str, context: ssl.SSLContext, deadline: float) -> Generator[bytes]:
    """Yield the unpacked content of one file of the Backup or Restore `name`, piece by piece.

    `target` is a kind of DownloadRequest (`BackupResults`, `RestoreLog`...); `deadline` counts as `time.monotonic`.
    Raises DownloadError, and ApiError when the request can not be made.
    """
    with _requesting(client, target, name, deadline) as url, _opening(url, context, deadline) as response:
        unpacking = zlib.decompressobj(_GZIP)
        while packed := _read(response, deadline):
            try:
                while packed:
                    yield unpacking.decompress(packed, _READ_BYTES)
                    packed = unpacking.unconsumed_tail
            except zlib.error as error:
                raise DownloadError(f"{target} of {name} is not packed by gzip: {error}") from error
        if not unpacking.eof:
            raise DownloadError(f"{target} of {name} ends too early")


@contextlib.contextmanager
def _requesting(client: Client, target: str, name: str, deadline: float) -> Iterator[str]:
    """Have Velero sign a URL; the request is deleted afterwards, whatever happens."""
    suffix = f"-{secrets.token_hex(4)}"
    request_name = name[: _LONGEST_NAME - len(suffix)].rstrip(".-") + suffix
    client.create(
        {
            "apiVersion": DOWNLOAD_REQUEST.api_version,
            "kind": DOWNLOAD_REQUEST.kind,
            "metadata": {"name": request_name, "namespace": OADP_NAMESPACE},
            "spec": {"target": {"kind": target, "name": name}},
        }
    )
    try:
        yield _await_url(client, request_name, target, deadline)
    finally:
        try:
            client.delete(DOWNLOAD_REQUEST, request_name, OADP_NAMESPACE)
        except errors.ApiError as error:  # Velero deletes it ten minutes later
            log.info("download request stays", extra={"request": request_name, "reason": str(error)})


def _await_url(client: Client, request_name: str, target: str, deadline: float) -> str:
    seconds = deadline - time.monotonic()
    if seconds > 0:
        with client.watch(DOWNLOAD_REQUEST, OADP_NAMESPACE, name=request_name, timeout_seconds=seconds) as watch:
            for event in watch:
                url = (event.object.get("status") or {}).get("downloadURL")
                if url and event.type != "DELETED":
                    return str(url)
    raise DownloadError(f"Velero did not answer the request for {target} in time: does its pod run?")


@contextlib.contextmanager
def _opening(url: str, context: ssl.SSLContext, deadline: float) -> Iterator[http.client.HTTPResponse]:
    if not url.startswith(("http://", "https://")):
        raise DownloadError("Velero gave a URL that is neither http nor https")
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    try:
        response = opener.open(url, timeout=min(_left(deadline), _SILENCE_SECONDS))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"the object store does not give it: {_explain(error)}") from error
    with contextlib.closing(response):
        yield response


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    try:
        _left(deadline)
        return response.read1(_READ_BYTES)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"the object store does not give it: {_explain(error)}") from error


def _left(deadline: float) -> float:
    """Return the seconds that are left. Raises TimeoutError."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("it took too long")
    return seconds


def _explain(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason) if reason else str(error) or type(error).__name__
