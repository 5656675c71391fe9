"""An S3 server that keeps its objects over restarts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostops.files import write_atomically
from sandbox.outside.child import Child

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Credentials:
    """The one account of a server. Requests with another access key are refused; the secret is not verified."""

    access_key: str
    secret_key: str


class ObjectStore:
    """S3 server on `host:port` with path-style addressing and the given buckets.

    moto plays S3 in memory; every change is written to `directory/objects.sqlite` before the client gets its answer.
    Versions of objects, their tags and access rules are not kept.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        credentials: S3Credentials,
        log_file: Path,
        buckets: Sequence[str] = ("velero",),
        host: str = "127.0.0.1",
    ) -> None:
        self.url = f"http://{host}:{port}"
        self.credentials = credentials
        self._config = directory / "server.json"
        self._settings = {
            "database": str(directory / "objects.sqlite"),
            "host": host,
            "port": port,
            "access_key": credentials.access_key,
            "buckets": list(buckets),
            "region": REGION,
        }
        self._child = Child(
            "the S3 server",
            (sys.executable, "-m", "sandbox.outside.s3_server", str(self._config)),
            address=(host, port),
            ready_text="listening on",
            log_file=log_file,
            env={"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"},
        )

    @property
    def pid(self) -> int | None:
        """Process id, None when it is not running."""
        return self._child.pid

    def start(self) -> None:
        """Start it unless it runs and return once it serves. Raises ServiceError."""
        self._config.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._config, json.dumps(self._settings).encode(), mode=0o600)
        self._child.start()

    def stop(self) -> None:
        """Stop it; clients are refused until `start`, and then find every object again."""
        self._child.stop()
