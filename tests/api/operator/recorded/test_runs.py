"""Each recorded run goes on ours as it did: states in order, files, commands that change the host, the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.recorded_runs.accepted import read_accepted
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.compact import read_runs
from tools.recorded_runs.compare import compare
from tools.recorded_runs.replay import Replay
from tools.recorded_runs.scenario import Scenario

RUNS = Path(__file__).with_name("runs")
GROUPS = ("abort", "ann", "delete", "prep", "restart", "start", "trans")
# One of each sort, in about half a minute; all others are slow.
QUICK = {
    *("abort-005", "ann-001", "delete-002", "delete-006", "restart-001", "start-006"),
    *("prep-003", "prep-007", "prep-011", "prep-oadp-007", "prep-val-018", "prep-warn-001"),
    *("trans-002", "trans-014"),
}


def make_param(run: Scenario) -> object:
    marks = () if run.id in QUICK else (pytest.mark.slow,)
    return pytest.param(run, id=run.id, marks=marks)


@pytest.mark.parametrize("run", [make_param(run) for group in GROUPS for run in read_runs(RUNS / f"{group}.yaml")])
def test_recorded_run_goes_as_recorded(run: Scenario, recorded_cluster: RecordedCluster, tmp_path: Path) -> None:
    accepted = read_accepted(run)
    with Replay(run, recorded_cluster, tmp_path / "host") as replay:
        result = replay.run(accepted)
    print(result.log)  # shown when the test failed
    assert "\n".join(map(str, compare(run, accepted, result))) == ""
