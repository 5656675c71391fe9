"""Steps 25 to 27 of post-pivot-and-rollback.md 5, and how a run finds out that an earlier one has come to them."""

from __future__ import annotations

from agent.node.postpivot import finish
from agent.node.postpivot.itinerary import CONFIGURE_NODE, CONFIGURED
from agent.workflow.outcome import Done
from tests.host.postpivot.conftest import OPENSHIFT, FolderNode


def test_node_addresses_are_waited_for_no_longer_than_configured(node: FolderNode) -> None:
    node.set_site(node_ips=[])
    node.run.wait_seconds = 90
    assert node.fail_step("find_node_addresses") == (
        "failed to configure networking, err: timed out after 1m30s waiting for /run/nodeip-configuration/primary-ip"
    )
    assert node.seconds == 90


def test_volumes_are_recovered(node: FolderNode) -> None:
    node.write(f"{OPENSHIFT}/lvm-configuration/system.devices", "VERSION", 0o600)
    assert node.run_step("recover_lvm_devices") == Done()
    assert (node.read(finish.LVM_DEVICES_FILE), node.mode(finish.LVM_DEVICES_FILE)) == ("VERSION", 0o600)
    assert node.commands == ["pvscan --cache --activate ay"]


def test_volumes_are_activated_without_a_list_of_devices(node: FolderNode) -> None:
    assert node.run_step("recover_lvm_devices") == Done()
    assert node.commands == ["pvscan --cache --activate ay"]


def test_failing_volumes_are_told(node: FolderNode) -> None:
    node.break_program("pvscan")
    assert node.fail_step("recover_lvm_devices").startswith(
        "failed to run once recover_lvm_devices for post pivot: failed to scan and active lvm devices, err: "
    )


def test_failing_disable_is_told(node: FolderNode) -> None:
    node.break_program("systemctl")
    assert node.fail_step("disable_unit").startswith("failed to disable installation-configuration.service, err: ")


def test_handed_over_folders_that_can_not_be_removed_are_told(node: FolderNode) -> None:
    node.write("/var/seed_data", "no folder")
    start = "failed to cleanup in postpivot [/opt/openshift /var/seed_data]: "
    assert node.fail_step("remove_handed_over").startswith(start)


def test_node_that_waits_for_its_configuration_is_not_configured(node: FolderNode) -> None:
    node.write("/var/seed_data/manifest.json", "{}")
    assert CONFIGURE_NODE.observe(node.run) == frozenset()


def test_node_without_any_input_is_configured_when_its_kubelet_is_enabled(node: FolderNode) -> None:
    assert CONFIGURE_NODE.observe(node.run) == {CONFIGURED}
    node.break_program("systemctl", "exit 1")
    assert CONFIGURE_NODE.observe(node.run) == frozenset()


def test_configured_node_is_only_tidied(node: FolderNode) -> None:
    finish.mark_configured(node.run)
    traits = CONFIGURE_NODE.observe(node.run)
    names = [step.name for step in CONFIGURE_NODE.select_steps(traits)]
    assert names == ["remove_handed_over", "forget_configured", "disable_unit"]
