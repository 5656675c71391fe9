"""Real here: a whole sandbox. Prep has built the new stateroot from a seed image; the hand-over is written by hand, the
rest is done by the node's own units: ostree, process 1 and its units, etcd, the API server, the programs under test.
Stand-ins are those of the sandbox, above all recert.

One node serves the folder. Every test begins before the first boot into the new release, as Prep has left it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agent.kube import Client
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.seed import make_seed
from tests.flow.pivot.site import Site
from tests.flow.prep.upgrade import VERSION, Upgrade, is_prep_over


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node on which Prep is over, in the old release."""
    sandbox = Sandbox(tmp_path_factory.mktemp("pivot"))
    sandbox.up(Identity.make("4.15.0"), owner_pid=os.getpid())
    with Client.connect(sandbox.layout.kubeconfig) as client:
        Upgrade(client, sandbox, make_seed(sandbox, VERSION)).prepare(is_prep_over)
    yield Site(sandbox, keep=tmp_path_factory.mktemp("kept"))
    sandbox.down()
    sandbox.purge()


@pytest.fixture
def site(prepared: Site) -> Iterator[Site]:
    """The node stopped before its first boot into the new release, as Prep has left it, with empty logs."""
    prepared.park()
    yield prepared
    prepared.sandbox.faults.clear()
