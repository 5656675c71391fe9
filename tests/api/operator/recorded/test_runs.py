"""Each recorded run goes on ours as it did: states in order, files, commands that change the host, the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.recorded_runs.accepted import read_accepted
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.compact import read_runs
from tools.recorded_runs.compare import compare
from tools.recorded_runs.programs import ProgramReplay
from tools.recorded_runs.replay import Replay
from tools.recorded_runs.scenario import Scenario

RUNS = Path(__file__).with_name("runs")
# One of each sort; all others are slow.
QUICK = {
    *("abort-005", "cycle-001", "delete-006", "post-005", "prep-003", "prep-warn-001", "rollback-008", "start-006"),
    *("trans-014", "cli-post-pivot-002"),
}
# Jobs and images are real in these: see tests/flow/prep/test_recorded_run.py, tests/host/test_recorded_programs.py.
ELSEWHERE = {"e2e-002", "cli-stateroot-setup-001", "cli-stateroot-setup-005"}


def make_params(*, programs: bool) -> list[object]:
    runs = [run for path in sorted(RUNS.glob("*.yaml")) for run in read_runs(path)]
    return [
        pytest.param(run, id=run.id, marks=() if run.id in QUICK else (pytest.mark.slow,))
        for run in runs
        if bool(run.command) is programs and run.id not in ELSEWHERE
    ]


@pytest.mark.parametrize("run", make_params(programs=False))
def test_recorded_run_goes_as_recorded(run: Scenario, recorded_cluster: RecordedCluster, tmp_path: Path) -> None:
    accepted = read_accepted(run)
    with Replay(run, recorded_cluster, tmp_path / "host") as replay:
        result = replay.run(accepted)
    print(result.log)  # shown when the test failed
    assert "\n".join(map(str, compare(run, accepted, result))) == ""


@pytest.mark.parametrize("run", make_params(programs=True))
def test_recorded_program_does_what_was_recorded(
    run: Scenario, recorded_cluster: RecordedCluster, tmp_path: Path
) -> None:
    with ProgramReplay(run, recorded_cluster, tmp_path / "host") as replay:
        differences = replay.compare(read_accepted(run))
    print(replay.log)  # shown when the test failed
    assert replay.log
    assert "\n".join(map(str, differences)) == ""
