"""The program that configures the node is killed (-9) before its first step and after every step's work, or the power
fails then. systemd, or the next boot, starts it again; the end is the same each time.

The points come from the itinerary, so a new step is covered without being listed here. Not covered: a death between two
lines of one step; what one step leaves half-done is in the tests of the steps.
"""

from __future__ import annotations

import pytest

from agent.node.postpivot.itinerary import CONFIGURE_NODE
from tests.flow.pivot.site import Site, assert_configured, wait_log

POINTS = [f"step {CONFIGURE_NODE.steps[0].name}", *(f"step {step.name} ended" for step in CONFIGURE_NODE.steps)]
"""Between the end of a step and the next one nothing happens."""

QUICK = {"step reconfigure_cluster ended", "step remove_handed_over ended"}
LAST = CONFIGURE_NODE.steps[-1].name
"""Disables the unit: the program is not started again."""


def mark_points(points: list[str]) -> list[object]:
    """A test parameter for each point; most take long together, and are `slow`."""
    return [pytest.param(point, id=point, marks=() if point in QUICK else pytest.mark.slow) for point in points]


def die_once_at(site: Site, regex: str) -> None:
    """Boot into the new release, where the program dies at the point."""
    site.hand_over()
    site.sandbox.faults.set("kill-agent-at", regex)
    site.boot()
    wait_log(site.log, "Main process exited, code=killed, signal=SIGKILL")


def lose_power_once_after(site: Site, step: str) -> None:
    """Boot into the new release, where the power fails after the step."""
    site.hand_over()
    site.sandbox.faults.set("power-loss-at", f"^step {step} ended$")
    site.boot()


@pytest.mark.parametrize("point", mark_points(POINTS))
def test_killed_program_is_started_again_and_configures_the_node(site: Site, point: str) -> None:
    die_once_at(site, f"^{point}$")
    site.wait_configured()
    assert_configured(site)


@pytest.mark.slow
@pytest.mark.parametrize("step", [step.name for step in CONFIGURE_NODE.steps if step.name != LAST])
def test_node_that_loses_power_in_the_middle_is_configured_at_the_next_boot(site: Site, step: str) -> None:
    lose_power_once_after(site, step)
    site.wait_configured()
    assert site.sandbox.state()["boots"] == 2
    assert_configured(site)


@pytest.mark.slow
@pytest.mark.parametrize("step", [LAST])
def test_node_that_loses_power_at_the_very_end_is_not_configured_again(site: Site, step: str) -> None:
    lose_power_once_after(site, step)
    site.sandbox.wait_booted(after=1)
    site.sandbox.wait_ready()
    assert_configured(site)


@pytest.mark.slow
def test_recert_that_succeeded_before_the_kill_is_not_run_again(site: Site) -> None:
    die_once_at(site, "^podman stop recert_etcd")
    site.wait_configured()
    assert_configured(site)
    assert "recert has done its work in an earlier run of this program" in site.log.read_text()
