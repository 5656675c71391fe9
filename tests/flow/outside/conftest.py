"""Real here: the registry (Debian's docker-registry), the S3 server (moto in its own process) and the clients that talk
to them over loopback (skopeo, urllib, botocore's signatures). Each test has its own folder and ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.outside import ObjectStore, Registry, S3Credentials


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def registry(tmp_path: Path, free_port: int) -> Iterator[Registry]:
    registry = Registry(tmp_path / "registry", free_port, log_file=tmp_path / "registry.log")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture
def store(tmp_path: Path, free_port: int) -> Iterator[ObjectStore]:
    credentials = S3Credentials("sandbox", "a secret")
    store = ObjectStore(tmp_path / "s3", free_port, credentials=credentials, log_file=tmp_path / "s3.log")
    store.start()
    yield store
    store.stop()
