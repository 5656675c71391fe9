"""A recorded run of the original whose Jobs really ran, on a sandbox: the same states in the same order."""

from __future__ import annotations

from dataclasses import replace

from tests.flow.prep.upgrade import Upgrade, is_prep_over
from tests.gitops.promises import check_versions
from tests.gitops.recorded import read_run
from tools.recorded_runs.accepted import read_accepted
from tools.recorded_runs.compare import compare_states
from tools.recorded_runs.state import State, read_object


def shift_generations(state: State, by: int) -> State:
    """The state as it would be had the resource not been used before."""
    conditions = (replace(c, observed_generation=c.observed_generation - by) for c in state.conditions)
    return replace(state, conditions=tuple(conditions))


def test_prep_and_abort_go_as_recorded(upgrade: Upgrade) -> None:
    run = read_run("e2e-002")
    before = upgrade.read()
    versions = [
        before,
        *upgrade.prepare(is_prep_over),
        *upgrade.abort(),
    ]
    earlier = before["metadata"]["generation"] - 1
    states = [shift_generations(read_object(version), earlier) for version in versions]
    assert "\n".join(map(str, compare_states(run, read_accepted(run), states))) == ""
    check_versions(versions)
