"""Recorded runs of the original operator, performed on ours.

Real: the operator as a process with the rights that deploy/ grants, the API server, ostree with real deployments that
are booted and removed, kills and reboots. Played, by recording stand-ins: what only a booted node has (rpm-ostree,
systemctl, the reboot) and what would need images (podman, skopeo, crictl). No controller runs, so Jobs, Backups and
Restores become what the run says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.scenario import load_yaml

FIXTURES = Path(__file__).with_name("fixtures.yaml")


@pytest.fixture(scope="session")
def recorded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedCluster]:
    """An API server without controllers: each run makes its objects anew."""
    fixtures = load_yaml(FIXTURES)["objects"]
    with RecordedCluster.start(tmp_path_factory.mktemp("recorded-cluster"), fixtures) as cluster:
        yield cluster
