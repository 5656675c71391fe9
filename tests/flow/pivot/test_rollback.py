"""The node is sent back by the programs on the host; the old release tells why.

Values of recorded runs: cli-post-pivot-002, cli-post-pivot-006, cli-init-monitor-006.
"""

from __future__ import annotations

import json

import pytest

from agent.kube import Object
from tests.flow.pivot.site import Site, wait_log
from tests.flow.prep.upgrade import STATEROOT, list_conditions

CONFIG = {"monitor_enabled": True, "monitor_timeout": 1800, "enabled_components": {"config": True, "postpivot": True}}
CONFIG_FILE = "var/lib/lca/autorollback_config.json"
RECERT = "failed to run once recert for post pivot: failed recert full flow: failed to run recert tool container: "


def assert_failed_upgrade(ibu: Object, message: str) -> None:
    """The resource has the conditions of the recorded runs."""
    assert list_conditions(ibu) == [
        ("Idle", "False", "InProgress", "In progress"),
        ("PrepInProgress", "False", "Completed", "Prep completed"),
        ("PrepCompleted", "True", "Completed", "Prep stage completed successfully"),
        ("UpgradeCompleted", "False", "Failed", "Upgrade failed"),
        ("UpgradeInProgress", "False", "Failed", message),
    ]
    assert ibu["status"]["validNextStages"] == ["Idle"]
    assert ibu["spec"]["stage"] == "Upgrade"


def write_config(site: Site, **changes: object) -> None:
    site.write(CONFIG_FILE, json.dumps({**CONFIG, **changes}))


def test_failing_recert_sends_the_node_back_with_its_reason(site: Site) -> None:
    site.hand_over()
    site.sandbox.faults.set("postpivot-fails", "no luck today")
    message = f"Rollback due to postpivot failure: {RECERT}Error: no luck today\n: exit status 1"
    site.boot()
    assert_failed_upgrade(site.wait_rolled_back(message), message)
    text = site.log.read_text()
    assert f'level=error msg="{RECERT}Error: no luck today\\n: exit status 1"' in text
    assert "run it again" not in text


def test_wrong_number_of_addresses_sends_the_node_back_with_its_reason(site: Site) -> None:
    site.hand_over(node_ips=["192.168.126.10", "fd00::1"])
    text = "validation failed: node IPs count mismatch: seed has 1, reconfiguration has 2"
    message = f"Rollback due to postpivot failure: {text}"
    site.boot()
    assert_failed_upgrade(site.wait_rolled_back(message), message)


def test_failure_without_automatic_rollback_is_tried_again(site: Site) -> None:
    site.hand_over()
    write_config(site, enabled_components={"config": False, "postpivot": False})
    site.sandbox.faults.set("command", "^hostnamectl:1:no hostname today")
    site.boot()
    wait_log(site.log, "restart counter is at 2")
    assert site.booted == STATEROOT
    text = site.log.read_text()
    expected = (
        'level=error msg="failed to configure networking, err: failed to set hostname sno1, err failed to run '
        '\\"hostnamectl\\" in host namespace with args [set-hostname sno1]: no hostname today\\n: exit status 1"'
    )
    assert expected in text
    assert 'level=fatal msg="Post pivot operation failed"' in text
    site.sandbox.faults.clear()
    wait_log(site.log, "Post pivot operation finished successfully!")


def test_watchdog_sends_a_node_back_that_waits_for_ever(site: Site) -> None:
    site.hand_over()
    write_config(site, monitor_timeout=4, enabled_components={"config": False, "postpivot": False})
    (site.stateroot / "var/opt/openshift/cluster-configuration").rename(site.stateroot / "var/opt/aside")
    message = "Rollback due to LCA Init Monitor timeout, after 4s"
    site.boot()
    assert_failed_upgrade(site.wait_rolled_back(message), message)


@pytest.mark.slow
def test_killed_watchdog_watches_anew_also_after_a_reboot(site: Site) -> None:
    site.hand_over()
    write_config(site, monitor_timeout=20, enabled_components={"config": False, "postpivot": False})
    (site.stateroot / "var/opt/openshift/cluster-configuration").rename(site.stateroot / "var/opt/aside")
    site.boot()
    wait_log(site.watchdog_log, "Launching LCA Init Monitor timeout")
    site.forget_logs()
    site.sandbox.run("systemctl", "reboot")
    wait_log(site.watchdog_log, "Launching LCA Init Monitor timeout")
    assert site.booted == STATEROOT
    site.sandbox.run("systemctl", "kill", "--signal=KILL", "lca-init-monitor.service")
    wait_log(site.watchdog_log, "restart counter is at 1")
    message = "Rollback due to LCA Init Monitor timeout, after 20s"
    assert_failed_upgrade(site.wait_rolled_back(message, boots=2), message)


@pytest.mark.slow
def test_watchdog_sends_the_node_back_without_registry_rpm_ostree_and_saved_resource(site: Site) -> None:
    site.hand_over()
    write_config(site, monitor_timeout=4, enabled_components={})
    (site.stateroot / "var/opt/openshift/cluster-configuration").rename(site.stateroot / "var/opt/aside")
    site.sandbox.faults.set("registry-down")
    site.sandbox.faults.set("command", "^rpm-ostree status:1:error: Loading sysroot: no connection")
    site.boot()
    site.sandbox.wait_booted(after=1, timeout_seconds=600)
    assert site.booted == "rhcos"


def test_completed_upgrade_is_left_alone_by_a_watchdog_that_still_runs(site: Site) -> None:
    site.hand_over()
    write_config(site, monitor_timeout=30)
    site.pivot()
    site.sandbox.run("touch", "/var/lib/lca/upgrade_completed")
    watched = site.sandbox.run("/usr/local/bin/lca-cli", "init-monitor", "--monitor")
    assert "the upgrade has completed, so nothing is watched" in watched.stdout
    assert site.booted == STATEROOT
    assert site.sandbox.run("ostree", "admin", "status").stdout.startswith(f"* {STATEROOT} ")


def test_failed_unit_of_an_enabled_component_sends_the_node_back(site: Site) -> None:
    site.hand_over()
    site.pivot()
    hook = "SERVICE_RESULT=exit-code exec /usr/local/bin/lca-cli init-monitor --exec-stop-post config"
    site.sandbox.run("bash", "-c", hook, check=False)
    message = "Rollback due to service-unit failure: component config"
    assert_failed_upgrade(site.wait_rolled_back(message), message)
