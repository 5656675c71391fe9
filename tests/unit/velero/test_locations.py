"""Which storage location a Backup uses, and whether Velero would refuse it (upgrade-and-oadp.md 17)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.velero.labelling import select_labelled
from agent.velero.locations import Locations
from agent.velero.messages import in_wave, list_some
from tests.unit.velero.objects import make_live


def make_locations(**phases: str) -> Locations:
    return Locations(
        {
            name: {"metadata": {"name": name}, "spec": {"default": name == "main"}, "status": {"phase": phase}}
            for name, phase in phases.items()
        }
    )


def make_backup(location: str | None = None) -> dict[str, Any]:
    return {**make_live(), "spec": {"storageLocation": location} if location else {}}


@pytest.mark.parametrize(
    ("backup", "locations", "name"),
    [
        (make_backup("other"), make_locations(main="Available"), "other"),
        (make_backup(), make_locations(a="Available", main="Available"), "main"),
        (make_backup(), make_locations(a="Available"), "default"),
    ],
    ids=["named", "marked", "velero's"],
)
def test_name_of_is_the_location_that_velero_takes(backup: dict[str, Any], locations: Locations, name: str) -> None:
    assert locations.name_of(backup) == name


def test_find_obstacle_tells_phase_and_reason() -> None:
    locations = make_locations(main="Unavailable", fine="Available")
    locations.by_name["main"]["status"]["message"] = "Connection refused"
    told = "backupStorageLocation main not available: Connection refused"
    assert locations.find_obstacle(make_backup()) == told
    assert locations.find_obstacle(make_backup("fine")) is None


def test_find_obstacle_leaves_a_missing_location_to_velero() -> None:
    assert make_locations().find_obstacle(make_backup("gone")) is None


def test_find_obstacle_of_a_location_nobody_has_looked_at() -> None:
    locations = Locations({"main": {"metadata": {"name": "main"}, "spec": {"default": True}}})
    assert locations.find_obstacle(make_backup()) == "backupStorageLocation main not available"


def test_select_labelled_adds_to_what_is_selected() -> None:
    backup = make_live()
    backup["spec"] = {"labelSelector": {"matchLabels": {"app": "web"}, "matchExpressions": []}, "ttl": "1h"}
    expected = {"matchLabels": {"app": "web", "lca.openshift.io/backup": "b"}, "matchExpressions": []}
    assert select_labelled(backup)["spec"] == {"labelSelector": expected, "ttl": "1h"}
    assert backup["spec"]["labelSelector"]["matchLabels"] == {"app": "web"}


@pytest.mark.parametrize(("count", "text"), [(1, "0"), (5, "0, 1, 2, 3, 4"), (7, "0, 1, 2, 3, 4, and 2 more")])
def test_list_some_counts_those_it_does_not_name(count: int, text: str) -> None:
    assert list_some(map(str, range(count))) == text


def test_in_wave_begins_with_the_documented_text() -> None:
    text = in_wave("Backup of Application Data is in progress", 2, 3, ["small-app InProgress 120/340 items"])
    assert text == "Backup of Application Data is in progress: wave 2/3, small-app InProgress 120/340 items"
