"""The operator is killed (-9) before and after every step in the new release; the end is the same each time.

The points come from the itineraries, so a new step is covered without being listed here. After a step, it dies before
anything about the step is written down. The node stays up: power losses are in `test_returns`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.ibu.postpivot.itinerary import POST_PIVOT
from agent.ibu.rollback.itinerary import AUTOMATIC_ROLLBACK, CONFIRM_ROLLBACK, ROLLBACK
from agent.kube import Client
from agent.workflow.step import Itinerary
from tests.api.operator.pivot.node import NEW, OLD
from tests.api.operator.pivot.site import ROLLED_BACK, UPGRADED, UPGRADING, Site, get_stages, make_upgrade
from tests.api.operator.pivot.test_automatic_rollback import prepare_fault
from tools.operator_process import read_conditions

MORTAL = """
import os, signal
from agent.workflow import replay as driver
from agent.workflow.replay import Ended, Started

real_replay = driver.replay
POINT = "/run/node/point"

def die_at(moment):
    if os.path.exists(POINT) and open(POINT).read() == moment:
        os.unlink(POINT)
        os.kill(os.getpid(), signal.SIGKILL)

def replay(*arguments, **options):
    for event in real_replay(*arguments, **options):
        if isinstance(event, Started):
            die_at("before " + event.step.name)
        elif isinstance(event, Ended):
            die_at("after " + event.step.name)
        yield event

driver.replay = replay
"""


def mark_points(itinerary: Itinerary[Any], quick: str) -> list[object]:
    """A test parameter for each point; all but the one called `quick` take long together, and are `slow`."""
    points = [f"{moment} {step.name}" for step in itinerary.steps for moment in ("before", "after")]
    assert quick in points
    return [pytest.param(point, id=point, marks=() if point == quick else pytest.mark.slow) for point in points]


def set_point(site: Site, point: str) -> None:
    (site.node.control / "point").write_text(point)


def assert_died(site: Site) -> None:
    site.operator.wait(60)
    assert not (site.node.control / "point").exists()
    site.restart()


@pytest.mark.parametrize("point", mark_points(POST_PIVOT, "after declare_completed"))
def test_killed_after_the_pivot_completes_the_upgrade(site: Site, client: Client, point: str) -> None:
    site.prepare_pivot()
    manifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: killed-after-the-pivot}\n"
    site.node.write(NEW, "opt/policy-manifests/group1/1_a.yaml", manifest)
    site.node.write(NEW, "opt/extra-manifests/group1/1_a.yaml", manifest)
    set_point(site, point)
    site.boot(prelude=MORTAL)
    assert_died(site)
    upgraded = site.wait_conditions(*UPGRADED)
    assert get_stages(upgraded) == ("Idle", "Rollback")
    assert [phase["phase"] for phase in upgraded["status"]["history"][-1]["phases"]] == ["PrePivot", "PostPivot"]
    assert all("completionTime" in phase for phase in upgraded["status"]["history"][-1]["phases"])
    assert (site.node.var(NEW) / "lib/lca/upgrade_completed").exists()
    assert list((site.node.var(NEW) / "opt").iterdir()) == []
    assert site.node.count_reboots() == 0


@pytest.mark.parametrize("point", mark_points(ROLLBACK, "after switch_default"))
def test_killed_in_the_rollback_boots_the_original_release(site: Site, point: str) -> None:
    site.node.boot(NEW)
    site.put(make_upgrade(UPGRADED, next_stages=("Idle", "Rollback")))
    set_point(site, point)
    site.start(prelude=MORTAL)
    site.wait_conditions(*UPGRADED)
    site.want("Rollback")
    assert_died(site)
    site.wait_reboot()
    assert site.node.count_reboots() == 1
    assert site.boot() == OLD
    back = site.wait_conditions(*ROLLED_BACK)
    assert get_stages(back) == ("Idle",)


@pytest.mark.parametrize("point", mark_points(CONFIRM_ROLLBACK, "after keep_original"))
def test_killed_in_the_original_release_confirms_the_rollback(site: Site, point: str) -> None:
    site.node.boot(OLD)
    rolling_back = (*ROLLED_BACK[:-2], "RollbackInProgress=True/InProgress Completing rollback")
    site.node.write(OLD, "lib/lca/ibu.json", make_upgrade(rolling_back, "Rollback", ()))
    set_point(site, point)
    site.start(prelude=MORTAL)
    assert_died(site)
    assert get_stages(site.wait_conditions(*ROLLED_BACK)) == ("Idle",)
    assert site.node.deployments() == [OLD, NEW]


@pytest.mark.parametrize("point", ["after apply_configuration", *mark_points(AUTOMATIC_ROLLBACK, "after send_back")])
def test_killed_in_the_automatic_rollback_goes_back(site: Site, point: str) -> None:
    cause, error = prepare_fault(site)
    set_point(site, point)
    site.boot(prelude=MORTAL)
    assert_died(site)
    site.wait_reboot()
    assert site.node.count_reboots() == 1
    saved = json.loads((site.node.var(OLD) / "lib/lca/ibu.json").read_text())
    assert site.boot() == OLD
    back = site.wait_last(f"UpgradeInProgress=False/Failed Rollback due to {cause}: {error}")
    assert get_stages(back) == ("Idle",)
    assert read_conditions(back) == read_conditions(saved)


def test_killed_while_the_resource_is_restored_restores_it(site: Site, client: Client) -> None:
    """It died after it had made the resource, before it wrote the status."""
    site.prepare_pivot()
    site.node.boot()
    upgrade = make_upgrade(UPGRADING)
    client.create({key: upgrade[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    site.start()
    site.wait_conditions(*UPGRADED)
