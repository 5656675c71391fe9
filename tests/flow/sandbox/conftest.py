"""Real here: ostree, the booted namespaces, process 1 and its units, the supervisor, registry, S3 server, and in `node`
etcd and the API server. Stand-ins are those of the sandbox itself, which these tests are about.

`bare` is a booted node whose kubelet is disabled, shared by all tests of a module: it boots in a second. `node` has its
cluster and is shared by the whole session. Tests that break their node make their own with `make_sandbox`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.node.identity import Identity
from sandbox.node.inside.unitfiles import disable_unit
from sandbox.node.sandbox import Sandbox
from sandbox.node.sysroot import choose_deployment

MakeSandbox = Callable[..., Sandbox]
WaitUntil = Callable[[Callable[[], bool]], None]


def install_bare(directory: Path) -> Sandbox:
    """A node without a cluster, and with nothing outside of it; not started."""
    sandbox = Sandbox(directory)
    sandbox.layout.make_directories()
    for part in ("registry-down", "s3-down"):
        sandbox.faults.set(part)
    sandbox.create(Identity.make("4.15.0"))
    disable_unit("kubelet.service", str(choose_deployment(sandbox.layout.sysroot).root))
    return sandbox


def boot(sandbox: Sandbox) -> Sandbox:
    """Start it; it ends with this test run, however that ends."""
    sandbox.start(owner_pid=os.getpid())
    sandbox.wait_booted()
    return sandbox


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = boot(install_bare(tmp_path_factory.mktemp("bare")))
    yield sandbox
    sandbox.down()
    sandbox.purge()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("node"))
    sandbox.up(Identity.make("4.15.0"), owner_pid=os.getpid())
    yield sandbox
    sandbox.down()
    sandbox.purge()


@pytest.fixture
def wait_until() -> WaitUntil:
    """For what nobody announces: looks again and again, and fails when it does not happen in time."""

    def wait(condition: Callable[[], bool], timeout_seconds: float = 20) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Iterator[MakeSandbox]:
    made: list[Sandbox] = []

    def make(name: str = "sandbox") -> Sandbox:
        made.append(boot(install_bare(tmp_path / name)))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.down()
        sandbox.purge()
