"""An S3 server that keeps its objects over restarts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostops.files import write_json
from sandbox.controlplane.ports import LOOPBACK
from sandbox.outside.service import Service

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Credentials:
    """The one account of a server. Requests with another access key are refused; the secret is not verified."""

    access_key: str
    secret_key: str


class ObjectStore(Service):
    """S3 server on a loopback port with path-style addressing and the given buckets.

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
        buckets: Sequence[str] = ("backups",),
    ) -> None:
        self.credentials = credentials
        self._directory = directory
        self._buckets = list(buckets)
        argv = (sys.executable, "-m", "sandbox.outside.s3_server", str(directory / "server.json"))
        env = {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"}
        super().__init__("the S3 server", argv, port=port, log_file=log_file, env=env)

    @property
    def url(self) -> str:
        """Endpoint for S3 clients."""
        return f"http://{self.address}"

    def write_configuration(self) -> None:
        """Write what the server's process reads at its start."""
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "database": str(self._directory / "objects.sqlite"),
            "host": LOOPBACK,
            "port": self.port,
            "access_key": self.credentials.access_key,
            "buckets": self._buckets,
            "region": REGION,
        }
        write_json(self._directory / "server.json", settings)
