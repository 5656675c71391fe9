"""A fleet's hub and our operator: policies and manifest works on the real API server.

The site is that of the recorded runs (`tests/api/operator/recorded`): real ostree deployments, kills and reboots; Jobs
become what the test says. Where the API server does not know CEL, the CRD's rules are evaluated before each change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Object
from tests.cel import Rules, read_schema
from tests.gitops.hub import PolicyEngine, RuledClient
from tests.gitops.recorded import read_run
from tools.recorded_runs.actions import apply_changes
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.site import Site

# Runs whose first state is the one that is meant.
_INITIAL = {
    "idle": "ann-001",
    "prepared": "abort-005",
    "upgrade-failed": "trans-006",
    "upgraded": "delete-006",
    "rolled-back": "trans-010",
    "abort-failed": "restart-005",
}

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(recorded_cluster: RecordedCluster, tmp_path: Path) -> Iterator[MakeSite]:
    """Make a site whose upgrade is in a state (idle, prepared...), with the operator running and nothing to do."""
    made: list[Site] = []

    def make(state: str, *, extra_crds: Collection[str] = ()) -> Site:
        run = read_run(_INITIAL[state])
        site = Site(recorded_cluster, tmp_path / "host", extra_crds=extra_crds)
        made.append(site)
        apply_changes(site, run.changes)
        site.boot(run.deployments, run.booted)
        assert run.initial
        site.make_resource(run.initial)
        site.start_operator()
        return site

    yield make
    for site in made:
        site.__exit__()
        print(site.operator.show_log())  # shown when the test failed


@pytest.fixture(scope="session")
def hub_client(recorded_cluster: RecordedCluster) -> RuledClient:
    return RuledClient(recorded_cluster.client, Rules(read_schema("imagebasedupgrade.yaml")).judge)


@pytest.fixture
def engine(hub_client: RuledClient) -> PolicyEngine:
    return PolicyEngine(hub_client)


def read_status(obj: Object) -> Any:
    """The status without what a pass refreshes."""
    return {key: value for key, value in obj["status"].items() if key != "observedGeneration"}
