"""The operator is killed (-9) at every step of Prep and of the abort, before and after the step's work; the end is the
same each time.

The points come from the itineraries, so a new step is covered without being listed here. The operator's Pod runs
`mortal_operator.py` in the place of `lca`: no host command, log line or status change marks every one of these points.
The agent's code is its own. A step that waits for a Job runs in several passes; the kill comes in the first one. Not
covered: a death between two lines of one step, other than at the parts of the cleanup.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.ibu.cleanup.itinerary import ABORT, PARTS
from agent.ibu.prep.itinerary import PREP
from agent.kube import Kind
from tests.flow.prep.prepared import assert_prepared
from tests.flow.prep.upgrade import NAMESPACE, POD, Upgrade, is_idle, is_prep_over

DEPLOYMENT = Kind("apps", "v1", "Deployment")
OPERATOR = "lifecycle-agent-controller-manager"
PROGRAM = Path("/var/tmp/mortal_operator.py")
MOMENTS = ("before", "after")


def mark_points(names: list[str], quick: str) -> list[object]:
    """A test parameter for each point; all but the one called `quick` take long together, and are `slow`."""
    points = [f"{name}/{moment}" for name in names for moment in MOMENTS]
    return [pytest.param(point, id=point, marks=() if point == quick else pytest.mark.slow) for point in points]


PREP_STEPS = [f"{PREP.name}/{step.name}" for step in PREP.steps]
ABORT_STEPS = [f"{ABORT.name}/{step.name}" for step in ABORT.steps]
CLEANUP_PARTS = [f"cleanup/{part.__name__}" for part in PARTS]


@pytest.fixture(scope="module")
def mortal(user: Upgrade) -> Iterator[None]:
    """The operator's Deployment runs the program that dies when it is told to."""
    user.write_file(PROGRAM, Path(__file__).with_name(PROGRAM.name).read_text())
    deployment = user.client.get(DEPLOYMENT, OPERATOR, NAMESPACE)
    command = deployment["spec"]["template"]["spec"]["containers"][0]["command"]
    set_command(user, ["/sandbox/bin/.python", f"/host{PROGRAM}", *command[1:]])
    yield
    set_command(user, command)


def set_command(user: Upgrade, command: list[str]) -> None:
    """Change the operator's command; return when the old Pod is gone."""
    before = user.wait_operator()
    path = "/spec/template/spec/containers/0/command"
    user.client.patch_json(DEPLOYMENT, OPERATOR, [{"op": "replace", "path": path, "value": command}], NAMESPACE)
    user.wait_gone(POD, before["metadata"]["name"], NAMESPACE)


def die_once_at(upgrade: Upgrade, point: str) -> None:
    """Let the next operator die at the point. It is a new Pod: the kubelet delays a container that died before."""
    operator = upgrade.wait_operator()
    upgrade.client.delete(POD, operator["metadata"]["name"], NAMESPACE)
    upgrade.wait_gone(POD, operator["metadata"]["name"], NAMESPACE)
    upgrade.write_file(PROGRAM.with_suffix(".point"), point)


def assert_died(upgrade: Upgrade) -> None:
    """The point was reached, and the container was started again."""
    assert upgrade.list_files(str(PROGRAM.with_suffix(".point"))) == []
    operator = upgrade.wait_operator()
    assert operator["status"]["containerStatuses"][0]["restartCount"] >= 1


@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize("point", mark_points(PREP_STEPS, f"{PREP_STEPS[-1]}/after"))
def test_operator_killed_in_prep_completes_it(upgrade: Upgrade, point: str) -> None:
    die_once_at(upgrade, point)
    last = upgrade.prepare(is_prep_over)[-1]
    assert_died(upgrade)
    assert_prepared(upgrade, last)


@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize("point", mark_points(ABORT_STEPS + CLEANUP_PARTS, f"{ABORT_STEPS[-1]}/after"))
def test_operator_killed_in_the_abort_ends_idle(upgrade: Upgrade, point: str) -> None:
    upgrade.prepare(is_prep_over)
    die_once_at(upgrade, point)
    assert is_idle(upgrade.abort()[-1])
    assert_died(upgrade)
