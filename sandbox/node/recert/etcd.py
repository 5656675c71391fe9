"""The objects in etcd, read and written through its JSON gateway."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

Objects = dict[str, dict[str, Any]]
"""etcd key -> object of the API; the API server of a sandbox stores JSON."""

_PREFIX = ("/registry/", "/registry0")


class EtcdStore:
    """One etcd without authentication, at `host:port`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.removeprefix("http://")

    def read(self) -> Objects:
        """Every object; what is not an object (counters of the API server) is left out. Raises OSError."""
        first, last = map(_encode, _PREFIX)
        found = {}
        for pair in self._post("range", {"key": first, "range_end": last}).get("kvs", []):
            value = base64.b64decode(pair["value"])
            if value.startswith(b"{"):
                found[base64.b64decode(pair["key"]).decode()] = json.loads(value)
        return found

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Write one object. Raises OSError."""
        self._post("put", {"key": _encode(key), "value": _encode(json.dumps(value, separators=(",", ":")) + "\n")})

    def delete(self, key: str) -> None:
        """Remove one object. Raises OSError."""
        self._post("deleterange", {"key": _encode(key)})

    def _post(self, verb: str, body: dict[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._endpoint, timeout=30)
        try:
            connection.request("POST", f"/v3/kv/{verb}", json.dumps(body))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"etcd at {self._endpoint} answers {response.status}: {text[:200].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(text)
        return answer


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
