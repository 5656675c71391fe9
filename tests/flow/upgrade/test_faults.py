"""The agent is killed (-9), or the power fails, right after every step of the stages that an upgrade goes through,
before anything about the step is written down. The end is the documented one each time, and nothing is lost.

The points come from the itineraries, so a new step is covered without being listed here. Steps of the program that
configures the node have their own tests (tests/flow/pivot/test_kill.py), so have kills in Prep
(tests/flow/prep/test_kill.py). tools/fault_table.py makes the table of docs/reliability.md of the ends recorded here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.ibu.cleanup.itinerary import ABORT, FINALIZE
from agent.ibu.postpivot.itinerary import POST_PIVOT
from agent.ibu.prep.itinerary import PREP
from agent.ibu.prepivot.itinerary import PRE_PIVOT
from agent.ibu.rollback.itinerary import CONFIRM_ROLLBACK, ROLLBACK
from crds.imagebasedupgrade import ImageBasedUpgrade
from tests.flow.upgrade.site import NEW_STATEROOT, OLD_STATEROOT, Site, has_ended, list_conditions

QUICK = {"power-loss-at post-pivot/restore_applications"}
UPGRADE_STEPS = [f"{each.name}/{step.name}" for each in (PRE_PIVOT, POST_PIVOT) for step in each.steps]
ROLLBACK_STEPS = [f"{each.name}/{step.name}" for each in (ROLLBACK, CONFIRM_ROLLBACK) for step in each.steps]
PREP_STEPS = [f"{PREP.name}/{step.name}" for step in PREP.steps]
ABORT_STEPS = [f"{ABORT.name}/{step.name}" for step in ABORT.steps]
FINALIZE_STEPS = [f"{FINALIZE.name}/{step.name}" for step in FINALIZE.steps]

POWER_LOSS_REASONS = ("Uncontrolled rollback", "Rollback due to restore failure: Failed restore CRs: ")
"""Where a power loss ends the upgrade: when nobody can know whether the new release was booted, and when Velero finds
Restores that it had begun, which it fails. The original release runs then."""


def mark_points(steps: list[str], faults: tuple[str, ...] = ("kill-agent-at", "power-loss-at")) -> list[object]:
    """A test parameter for each fault at each step; all but some take long together, and are `slow`."""
    points = [f"{fault} {step}" for step in steps for fault in faults]
    return [pytest.param(point, id=point, marks=() if point in QUICK else pytest.mark.slow) for point in points]


def inject(site: Site, point: str) -> None:
    fault, step = point.split()
    site.sandbox.faults.set(fault, f"^step {step} ended$")


def assert_fault_came(site: Site) -> None:
    assert site.sandbox.layout.command_faults_file.with_name("command-faults.killed").exists(), (
        "the point was never reached"
    )


def finish(site: Site, stage: str) -> ImageBasedUpgrade:
    """Return the state in which a stage has ended."""
    return site.follow(has_ended(stage))[-1]


def assert_upgraded(site: Site, state: ImageBasedUpgrade) -> None:
    assert list_conditions(state)[-1] == ("UpgradeCompleted", "True", "Completed", "Upgrade completed")
    assert state.status.valid_next_stages == ("Idle", "Rollback")
    assert site.booted == NEW_STATEROOT
    assert site.read_book().startswith("opened by ")


def assert_as_before(site: Site) -> None:
    """The original release runs as it did, with its applications."""
    assert site.booted == OLD_STATEROOT
    assert site.read_book().startswith("opened by ")


@pytest.mark.parametrize("point", mark_points(PREP_STEPS, ("power-loss-at",)))
def test_prep_survives(site: Site, point: str, record_property: Callable[[str, object], None]) -> None:
    site.set_stage("Idle")
    finish(site, "Idle")
    inject(site, point)
    site.set_stage("Prep")
    state = finish(site, "Prep")
    assert_fault_came(site)
    assert_as_before(site)
    if list_conditions(state)[-1][:2] == ("PrepInProgress", "False"):
        record_property("end", f"`{list_conditions(state)[-1][3]}`")
        site.set_stage("Idle")
        assert finish(site, "Idle").status.valid_next_stages == ("Prep",)
    else:
        assert list_conditions(state)[-1] == (
            *("PrepCompleted", "True", "Completed"),
            "Prep stage completed successfully",
        )
        assert state.status.valid_next_stages == ("Idle", "Upgrade")


@pytest.mark.parametrize("point", mark_points(ABORT_STEPS, ("power-loss-at",)))
def test_abort_survives(site: Site, point: str) -> None:
    inject(site, point)
    site.set_stage("Idle")
    state = finish(site, "Idle")
    assert_fault_came(site)
    assert list_conditions(state) == [("Idle", "True", "Idle", "Idle")]
    assert_as_before(site)
    assert site.sandbox.run("ls", "/sysroot/ostree/deploy").stdout.split() == [OLD_STATEROOT]


@pytest.mark.parametrize("point", mark_points(UPGRADE_STEPS))
def test_upgrade_survives(site: Site, point: str, record_property: Callable[[str, object], None]) -> None:
    inject(site, point)
    site.set_stage("Upgrade")
    state = finish(site, "Upgrade")
    assert_fault_came(site)
    if list_conditions(state)[-1][:2] == ("UpgradeInProgress", "False"):
        assert point.startswith("power-loss-at"), list_conditions(state)
        assert list_conditions(state)[-1][3].startswith(POWER_LOSS_REASONS), list_conditions(state)
        assert_as_before(site)
        site.set_stage("Idle")
        assert finish(site, "Idle").status.valid_next_stages == ("Prep",)
        record_property("end", f"`{list_conditions(state)[-1][3].partition(': Failed')[0]}`")
    else:
        assert_upgraded(site, state)


@pytest.fixture
def upgraded(site: Site) -> Site:
    """The site after an upgrade that went well."""
    site.set_stage("Upgrade")
    assert_upgraded(site, finish(site, "Upgrade"))
    return site


@pytest.mark.parametrize("point", mark_points(ROLLBACK_STEPS))
def test_rollback_survives(upgraded: Site, point: str) -> None:
    inject(upgraded, point)
    upgraded.set_stage("Rollback")
    state = finish(upgraded, "Rollback")
    assert_fault_came(upgraded)
    assert list_conditions(state)[-1] == ("RollbackCompleted", "True", "Completed", "Rollback completed")
    assert_as_before(upgraded)
    upgraded.set_stage("Idle")
    assert finish(upgraded, "Idle").status.valid_next_stages == ("Prep",)


@pytest.mark.parametrize("point", mark_points(FINALIZE_STEPS))
def test_finalize_survives(upgraded: Site, point: str) -> None:
    inject(upgraded, point)
    upgraded.set_stage("Idle")
    state = finish(upgraded, "Idle")
    assert_fault_came(upgraded)
    assert list_conditions(state) == [("Idle", "True", "Idle", "Idle")]
    assert upgraded.booted == NEW_STATEROOT
    assert upgraded.read_book().startswith("opened by ")
