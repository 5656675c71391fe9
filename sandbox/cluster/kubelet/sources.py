"""ConfigMaps and Secrets of a namespace, read from the API server when they are needed."""

from __future__ import annotations

import base64
from typing import Protocol

from agent.kube import Client, Kind

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")


class Sources(Protocol):
    """Where variables and files of a Pod come from; None means that the object does not exist."""

    def config_map(self, name: str) -> dict[str, bytes] | None:
        """Keys and values, text and binary ones alike."""

    def secret(self, name: str) -> dict[str, bytes] | None:
        """Keys and decoded values."""


class ApiSources:
    """Sources of one namespace, read anew at each call."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    def config_map(self, name: str) -> dict[str, bytes] | None:
        """See `Sources`."""
        found = self._client.find(CONFIG_MAP, name, self._namespace)
        if found is None:
            return None
        texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        return texts | _decode(found.get("binaryData"))

    def secret(self, name: str) -> dict[str, bytes] | None:
        """See `Sources`."""
        found = self._client.find(SECRET, name, self._namespace)
        return None if found is None else _decode(found.get("data"))


def _decode(data: dict[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}
