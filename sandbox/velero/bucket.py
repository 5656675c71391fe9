"""One folder of an S3 bucket, through signed HTTP requests: all that Velero does with a storage location."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

_TIMEOUT = urllib3.Timeout(connect=3, read=20)
_OK = (200, 204)


class StorageError(Exception):
    """The store refused a request or could not be reached; the text is in the style of the real client's."""


class MissingObjectError(StorageError):
    """There is no object of that name."""


@dataclass(frozen=True)
class Place:
    """Where a storage location points to."""

    url: str
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    def key(self, name: str) -> str:
        """The full key of `name` below the prefix."""
        prefix = self.prefix.strip("/")
        return f"{prefix}/{name}" if prefix else name


class Bucket:
    """The objects of one place. Every method raises StorageError."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def get(self, name: str) -> bytes:
        """Read an object; raises MissingObjectError."""
        return self._call("GET", name).data

    def put(self, name: str, body: bytes) -> None:
        """Create or replace an object."""
        self._call("PUT", name, body=body)

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        return name in self.list_names(name)[0]

    def list_names(self, folder: str, *, deep: bool = True) -> tuple[list[str], list[str]]:
        """Names that begin with `folder`, and, when not `deep`, the names of its direct subfolders."""
        names: list[str] = []
        folders: list[str] = []
        query = {"list-type": "2", "prefix": self._place.key(folder), **({} if deep else {"delimiter": "/"})}
        while True:
            answer = ET.fromstring(self._call("GET", None, query=query).data)  # noqa: S314 - our own store's answer
            space = answer.tag.partition("}")[0] + "}" if answer.tag.startswith("{") else ""
            names += [self._strip(item.findtext(f"{space}Key")) for item in answer.iter(f"{space}Contents")]
            for item in answer.iter(f"{space}CommonPrefixes"):
                folders.append(self._strip(item.findtext(f"{space}Prefix")).removeprefix(folder).rstrip("/"))
            if not (token := answer.findtext(f"{space}NextContinuationToken")):
                return names, folders
            query["continuation-token"] = token

    def delete_folder(self, folder: str) -> None:
        """Delete every object whose name begins with `folder`."""
        for name in self.list_names(folder)[0]:
            self._call("DELETE", name)

    def presign(self, name: str, seconds: int) -> str:
        """A URL that gives the object to anybody for so long; whether it exists is not looked at."""
        from botocore.auth import S3SigV4QueryAuth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("GET", self._url(name))
        S3SigV4QueryAuth(self._credentials(), "s3", self._place.region, expires=seconds).add_auth(request)
        return str(request.prepare().url)

    def _call(
        self, method: str, name: str | None, *, query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> urllib3.BaseHTTPResponse:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        url = self._url(name) + (f"?{urlencode(query)}" if query else "")
        request = AWSRequest(method, url, data=body, headers={"User-Agent": "velero"})
        S3SigV4Auth(self._credentials(), "s3", self._place.region).add_auth(request)
        operation = _operation(method, name)
        try:
            response = _pool().request(
                method, url, body=body, headers=dict(request.headers.items()), retries=False, timeout=_TIMEOUT
            )
        except urllib3.exceptions.HTTPError as error:
            raise StorageError(f"operation error S3: {operation}, request send failed: {_reason(error)}") from error
        if response.status not in _OK:
            raise _error_from(response, operation)
        return response

    def _url(self, name: str | None) -> str:
        base = f"{self._place.url.rstrip('/')}/{self._place.bucket}"
        return base if name is None else f"{base}/{quote(self._place.key(name))}"

    def _strip(self, key: str | None) -> str:
        return (key or "").removeprefix(self._place.key(""))

    def _credentials(self) -> Any:
        from botocore.credentials import Credentials

        return Credentials(self._place.access_key, self._place.secret_key)


@functools.cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=2)


def _operation(method: str, name: str | None) -> str:
    return "ListObjectsV2" if name is None else f"{method.capitalize()}Object"


def _reason(error: Exception) -> str:
    """The innermost cause in few words: urllib3 wraps it in the pool's representation."""
    return str(error).rpartition(": ")[2] if "Errno" in str(error) else str(error)


def _error_from(response: urllib3.BaseHTTPResponse, operation: str) -> StorageError:
    code, message = str(response.status), response.reason or ""
    if response.data.lstrip().startswith(b"<"):
        answer = ET.fromstring(response.data)  # noqa: S314 - our own store's answer
        code, message = answer.findtext("Code") or code, answer.findtext("Message") or message
    kind = MissingObjectError if code == "NoSuchKey" else StorageError
    return kind(f"operation error S3: {operation}, StatusCode: {response.status}, api error {code}: {message}")
