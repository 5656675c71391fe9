"""What a good Prep leaves in the resource and on the node, whatever happened on the way."""

from __future__ import annotations

import json

from agent.kube import Object
from tests.flow.prep.upgrade import STATEROOT, VERSION, Upgrade, list_conditions


def assert_prepared(upgrade: Upgrade, ibu: Object, completed: str = "Prep stage completed successfully") -> None:
    """The resource says that Prep is over, and the node is ready to boot the new release."""
    assert list_conditions(ibu) == [
        ("Idle", "False", "InProgress", "In progress"),
        ("PrepInProgress", "False", "Completed", "Prep completed"),
        ("PrepCompleted", "True", "Completed", completed),
    ]
    assert ibu["status"]["validNextStages"] == ["Idle", "Upgrade"]
    assert_history(ibu["status"]["history"])
    assert_deployed(upgrade)
    assert_images_pulled(upgrade)


def assert_history(history: list[Object]) -> None:
    (entry,) = history
    assert entry["stage"] == "Prep"
    stateroot, precache = entry["phases"]
    assert (stateroot["phase"], precache["phase"]) == ("Stateroot", "Precache")
    times = [entry["startTime"], stateroot["startTime"], stateroot["completionTime"]]
    times += [precache["startTime"], precache["completionTime"], entry["completionTime"]]
    assert times == sorted(times)


def assert_deployed(upgrade: Upgrade) -> None:
    """The new stateroot is there, bootable, not the default, and brings what the first boot needs."""
    status = upgrade.run("ostree", "admin", "status").stdout
    assert status.startswith("* rhcos ")
    assert f"  {STATEROOT} " in status
    options = upgrade.run("grep", "-hr", f"ostree=/ostree/boot.*/{STATEROOT}/", "/boot/loader/entries").stdout
    assert {"tsc=nowatchdog", f"ibu={VERSION}"} <= set(options.split())
    path = f"/ostree/deploy/{STATEROOT}/var/lib/lca/autorollback_config.json"
    assert json.loads(upgrade.run("cat", path).stdout) == {
        "monitor_enabled": True,
        "monitor_timeout": 1800,
        "enabled_components": {"config": True, "postpivot": True},
    }
    assert upgrade.run("stat", "-c", "%a", path).stdout.strip() == "600"


def assert_images_pulled(upgrade: Upgrade) -> None:
    wanted = upgrade.run("cat", "/var/tmp/containers.list").stdout.split()
    assert wanted
    for image in wanted:
        upgrade.run("podman", "image", "exists", image)
