"""Real here: the registry (Debian's docker-registry), the S3 server (moto in its own process) and the clients that talk
to them over loopback (skopeo, urllib, botocore's signatures). Each test has its own folder and ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import ObjectStore, Registry, S3Credentials


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path / "registry", choose_free_port(), log_file=tmp_path / "registry.log")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    credentials = S3Credentials("sandbox", "a secret")
    store = ObjectStore(tmp_path / "s3", choose_free_port(), credentials=credentials, log_file=tmp_path / "s3.log")
    store.start()
    yield store
    store.stop()
