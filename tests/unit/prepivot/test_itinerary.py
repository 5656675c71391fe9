"""The stage read as data: its phase, its announcements, what is left out once the reboot is under way."""

from __future__ import annotations

from itertools import groupby

from agent.ibu.prepivot.itinerary import PHASE, PRE_PIVOT
from agent.ibu.prepivot.reboot import REBOOT_REQUESTED


def test_announcements_are_the_recorded_ones_in_order() -> None:
    announced = [text for text, _ in groupby(step.announce for step in PRE_PIVOT.steps if step.announce)]
    assert announced == [
        "Backing up Application Data",
        "Exporting Application Configuration",
        "Exporting Policy and Config Manifests",
        "Exporting Cluster, LVM, and cert-manager configuration",
        "In progress",
    ]


def test_phase_begins_with_the_stage_and_ends_before_the_resource_is_saved() -> None:
    phases = [step.phase for step in PRE_PIVOT.steps]
    ends = [step.name for step in PRE_PIVOT.steps].index("save_for_new_release")
    assert set(phases[:ends]) == {PHASE}
    assert set(phases[ends:]) == {""}


def test_both_copies_are_saved_before_the_default_is_switched() -> None:
    names = [step.name for step in PRE_PIVOT.steps]
    assert names[-4:] == ["save_for_new_release", "save_for_old_release", "make_default", "reboot"]


def test_after_the_request_for_the_reboot_only_that_is_looked_at() -> None:
    assert [step.name for step in PRE_PIVOT.select_steps(frozenset({REBOOT_REQUESTED}))] == ["reboot"]
    assert PRE_PIVOT.select_steps(frozenset()) == PRE_PIVOT.steps
