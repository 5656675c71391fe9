"""Tests of the host primitives with the real programs.

Real: bash, tar, ostree, podman, skopeo, buildah, the registry, file systems. Each test works in its own scratch folder:
a private sysroot, a private container storage, a private registry on a free loopback port; nothing of the machine is
touched. Programs that only exist on a booted node (rpm-ostree, systemctl, systemd-run, chcon, crictl) are played by a
recording stand-in that stands first in PATH: it notes its argv NUL-separated and answers from a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import Registry
from tests.host.images import Storage
from tests.host.pivotednode import PivotedNode, boot_pivoted
from tests.host.scratchnode import ScratchNode


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ScratchNode]:
    """A booted node with the stateroot `rhcos`."""
    node = ScratchNode(tmp_path / "node")
    node.create()
    node.boot()
    yield node
    node.destroy()


@pytest.fixture
def pivoted(tmp_path: Path) -> Iterator[PivotedNode]:
    """A node in the middle of an upgrade."""
    pivoted = boot_pivoted(tmp_path / "node")
    yield pivoted
    pivoted.node.destroy()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry on a loopback port."""
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder, choose_free_port(), log_file=folder / "log")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def publisher(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Storage]:
    """A container storage in which images are built and pushed to the registry."""
    publisher = Storage(tmp_path_factory.mktemp("publisher"), registry)
    yield publisher
    publisher.destroy()


@pytest.fixture
def storage(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An empty container storage that podman, buildah and skopeo of this test use."""
    storage = Storage(tmp_path / "containers", registry)
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    yield storage
    storage.destroy()
