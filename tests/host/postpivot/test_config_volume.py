"""Step 1: the hand-over of an upgrade, or the volume of an installation."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.node.postpivot.config_volume import find_config_device, wait_for_configuration
from agent.node.postpivot.itinerary import CONFIGURE_NODE
from agent.workflow.outcome import Failed
from tests.host.postpivot.conftest import FolderNode

CONFIGURATION = "/opt/openshift/cluster-configuration"


def attach_volume(node: FolderNode, name: str = "sdb", label: str = "cluster-config") -> Path:
    """Let lsblk list a volume, and mount show its content."""
    volume = node.directory / "volume"
    for path in (
        "cluster-configuration/manifest.json",
        "cluster-configuration/manifests/a.json",
        "extra-manifests/b.yaml",
        "network-configuration/system-connections/c.nmconnection",
        "plain",
    ):
        (volume / path).parent.mkdir(parents=True, exist_ok=True)
        (volume / path).write_text(path)
    listing = {"blockdevices": [{"name": "sda", "label": None}, {"name": name, "label": label}]}
    node.break_program("lsblk", f"echo '{json.dumps(listing)}'")
    node.break_program("mount", f"cp -a {volume}/. {node.root.visible}/mnt/config/")
    node.break_program("umount", f"rm -r {node.root.visible}/mnt/config/*")
    return volume


def read_tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_handed_over_configuration_is_taken_as_it_is(node: FolderNode) -> None:
    node.write(f"{CONFIGURATION}/manifest.json", "{}")
    wait_for_configuration(node.run)
    assert node.commands == []
    assert node.seconds == 0


@pytest.mark.parametrize("label", ["cluster-config", "relocation-config"])
def test_configuration_is_copied_from_the_volume(node: FolderNode, label: str) -> None:
    volume = attach_volume(node, label=label)
    wait_for_configuration(node.run)
    assert read_tree(node.root.path("/opt/openshift")) == read_tree(volume)
    assert node.mode("/opt/openshift") == 0o700
    assert node.commands == ["lsblk -f --json --output NAME,LABEL", "mount /dev/sdb /mnt/config", "umount /dev/sdb"]
    assert not node.root.path("/mnt/config").exists()


def test_volume_is_waited_for(node: FolderNode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    attach_volume(node)
    listing = node.directory / "faults/lsblk"
    late = f"[ $(grep -c lsblk $NODE/commands) -gt 40 ] || {{ echo '{{}}'; exit 0; }}; {listing.read_text()}"
    node.break_program("lsblk", late)
    wait_for_configuration(node.run)
    assert node.seconds == 40
    assert any(
        message.startswith("waiting for /opt/openshift/cluster-configuration, or") for message in caplog.messages
    )


def test_wait_is_bounded_by_the_configured_time(node: FolderNode) -> None:
    node.run.wait_seconds = 60
    node.break_program("lsblk")
    outcome = CONFIGURE_NODE.steps[0].run(node.run)
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("failed to wait for configuration: timed out after 1m0s waiting for ")
    assert "no luck" in outcome.message


def test_failing_mount_is_told(node: FolderNode) -> None:
    attach_volume(node)
    node.break_program("mount")
    outcome = CONFIGURE_NODE.steps[0].run(node.run)
    assert outcome == Failed(
        "failed to wait for configuration: failed to mount /mnt/config: "
        "failed to mount /dev/sdb into /mnt/config, err: "
        'failed to run "mount" in host namespace with args [/dev/sdb /mnt/config]: no luck\n: exit status 1'
    )


def test_volume_that_stays_mounted_keeps_its_content(node: FolderNode, caplog: pytest.LogCaptureFixture) -> None:
    attach_volume(node)
    node.break_program("umount")
    wait_for_configuration(node.run)
    assert node.read("/mnt/config/plain") == "plain"
    assert node.read(f"{CONFIGURATION}/manifest.json") == "cluster-configuration/manifest.json"
    assert any("stays mounted" in message for message in caplog.messages)


def test_copy_that_broke_off_is_begun_again(node: FolderNode) -> None:
    """Half a configuration under its final name would end the waiting."""
    volume = attach_volume(node)
    node.write("/opt/openshift/.cluster-configuration.new/manifest.json", "ha")
    wait_for_configuration(node.run)
    assert read_tree(node.root.path("/opt/openshift")) == read_tree(volume)


@pytest.mark.parametrize("listing", ["", "[]", "{}", '{"blockdevices":[1]}'])
def test_listing_that_is_none_is_refused(listing: str) -> None:
    with pytest.raises(ValueError, match="."):
        find_config_device(listing)


def test_partitions_do_not_count() -> None:
    children = [{"name": "sda1", "label": "cluster-config"}]
    assert find_config_device(json.dumps({"blockdevices": [{"name": "sda", "children": children}]})) is None


@pytest.fixture
def real_volume(node: FolderNode) -> Iterator[Path]:
    """A volume that is really mounted: ext4 in a file; `lsblk` names it."""
    volume = attach_volume(node, name="loop-file")
    subprocess.run(["mkfs.ext4", "-q", "-L", "cluster-config", "-d", volume, f"{volume}.img", "8M"], check=True)
    mount_point = node.root.path("/mnt/config")
    node.break_program("mount", f"exec /usr/bin/mount -o loop,ro {volume}.img {mount_point}")
    node.break_program("umount", f"exec /usr/bin/umount {mount_point}")
    yield volume
    if mount_point.is_mount():
        subprocess.run(["umount", mount_point], check=True)


def test_configuration_is_copied_from_a_real_file_system(node: FolderNode, real_volume: Path) -> None:
    wait_for_configuration(node.run)
    assert read_tree(node.root.path("/opt/openshift")) == read_tree(real_volume)
    assert not node.root.path("/mnt/config").exists()


def test_volume_that_a_killed_run_left_mounted_is_not_mounted_twice(node: FolderNode, real_volume: Path) -> None:
    mount_point = node.root.path("/mnt/config")
    mount_point.mkdir(parents=True)
    subprocess.run(["mount", "-o", "loop,ro", f"{real_volume}.img", mount_point], check=True)
    wait_for_configuration(node.run)
    assert read_tree(node.root.path("/opt/openshift")) == read_tree(real_volume)
    assert "mount /dev/loop-file /mnt/config" not in node.commands
    assert not mount_point.exists()


def test_volume_in_use_stays_mounted_and_whole(node: FolderNode, real_volume: Path) -> None:
    node.break_program("umount", "echo target is busy; exit 32")
    wait_for_configuration(node.run)
    assert read_tree(node.root.path("/mnt/config")) == read_tree(real_volume)
    assert (node.root.path("/opt/openshift") / "cluster-configuration/manifest.json").exists()
