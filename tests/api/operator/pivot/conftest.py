"""The operator on a node with two releases, before, after and between pivots; see `node` for what is real.

The API server is real, but there is only one: `Site` exchanges the custom resource when the node boots the other
release, since each release has an etcd of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client
from tests.api.operator.pivot.cluster import make_healthy, remove_objects
from tests.api.operator.pivot.node import PivotNode
from tests.api.operator.pivot.site import Site

SECOND = timedelta(seconds=1)


@pytest.fixture
def not_after() -> datetime:
    """When the first certificate of both kubelets ends."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=120)


@pytest.fixture
def node(tmp_path: Path, kubeconfig: Path, not_after: datetime) -> Iterator[PivotNode]:
    """A node on which the new release has been prepared, and is the default."""
    node = PivotNode(tmp_path / "node")
    node.create(kubeconfig, not_after)
    yield node
    node.destroy()


@pytest.fixture
def healthy(client: Client, deployed: list[dict[str, Any]]) -> Iterator[None]:
    """What the health checks look at, all of it well."""
    assert deployed
    make_healthy(client)
    yield
    remove_objects(client)


@pytest.fixture
def site(node: PivotNode, client: Client, operator_kubeconfig: Path, healthy: None, no_upgrade: None) -> Iterator[Site]:
    """The node with its cluster and its operator, which is not started yet."""
    site = Site(node, client, operator_kubeconfig)
    yield site
    site.stop()
    for log in site.logs:
        print(log)


Follow = Callable[[], None]
