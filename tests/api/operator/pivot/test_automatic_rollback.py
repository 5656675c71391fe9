"""An upgrade that fails for good in the new release: the node goes back by itself, and both releases know why."""

from __future__ import annotations

import json

import pytest

from agent.kube import Client, Kind
from tests.api.operator.pivot.node import NEW, OLD
from tests.api.operator.pivot.site import PREPARED, UPGRADING, Site, get_stages, make_upgrade
from tools.operator_process import read_conditions

EVENT = Kind("events.k8s.io", "v1", "Event")

SWITCH = "auto-rollback-on-failure.lca.openshift.io/upgrade-completion"
REFUSED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_Valid, namespace: default}\n"
UNKNOWN = "apiVersion: example.com/v1\nkind: Unheard\nmetadata: {name: x}\n"
DPA = {
    "apiVersion": "oadp.openshift.io/v1alpha1",
    "kind": "DataProtectionApplication",
    "metadata": {"name": "dpa1", "namespace": "openshift-adp"},
    "spec": {},
}

MANIFEST = "failed to apply manifest: failed to "
FAULTS = {
    "missing-dpa": (
        "opt/OADP/dpa/dpa1.yaml",
        json.dumps(DPA),
        "missing DataProtectionApplication",
        "DataProtectionApplication dpa1 is not found",
    ),
    "policy-refused": (
        "opt/policy-manifests/group1/1_a.yaml",
        REFUSED,
        "failure applying policy manifests",
        f'{MANIFEST}create manifest ConfigMap called Not_Valid: ConfigMap "Not_Valid" is invalid: ',
    ),
    "config-refused": (
        "opt/extra-manifests/group1/1_a.yaml",
        REFUSED,
        "failure applying config manifests",
        f'{MANIFEST}create manifest ConfigMap called Not_Valid: ConfigMap "Not_Valid" is invalid: ',
    ),
    "unknown-kind": (
        "opt/extra-manifests/group1/1_a.yaml",
        UNKNOWN,
        "failure applying config manifests",
        f"{MANIFEST}get RESTMapping: ",
    ),
}


def prepare_fault(site: Site, name: str = "config-refused") -> tuple[str, str]:
    """Prepare the pivot and a fault after it; return cause and error."""
    site.prepare_pivot()
    path, content, cause, error = FAULTS[name]
    site.node.write(NEW, path, content)
    return cause, error


def last_condition(text: str) -> str:
    return f"UpgradeInProgress=False/Failed {text}"


@pytest.mark.parametrize("name", FAULTS)
def test_failure_is_shown_before_the_reboot_and_afterwards(site: Site, name: str) -> None:
    cause, error = prepare_fault(site, name)
    site.boot()
    failed = site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))
    assert get_stages(failed) == ("Rollback",)
    site.wait_reboot()
    assert site.boot() == OLD
    back = site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))
    assert get_stages(back) == ("Idle",)
    assert read_conditions(back) == read_conditions(failed)
    assert site.node.count_reboots() == 1


def test_failure_before_the_reboot_is_stored_before_it_is_asked_for(site: Site) -> None:
    """systemd-run sees what the API server holds at that moment."""
    cause, _ = prepare_fault(site)
    site.node.break_program("systemd-run", "touch /run/node/asked; until [ -e /run/node/go ]; do sleep 0.02; done")
    site.boot()
    site.wait_last(last_condition(f"Rollback due to {cause}"))
    (site.node.control / "go").touch()
    site.wait_reboot()


def test_event_tells_of_the_reboot(site: Site, client: Client, server_knows_cel: bool) -> None:
    prepare_fault(site)
    site.boot()
    if not server_knows_cel:  # servers before 1.25 refuse events about objects without a namespace
        refused = site.operator.wait_for_message("event refused")
        assert refused["event_reason"] == "Reboot"
        return
    uid = site.read()["metadata"]["uid"]
    with client.watch(EVENT, "default", timeout_seconds=30) as watch:
        event = next(e.object for e in watch if e.object["regarding"].get("uid") == uid)
    assert (event["reason"], event["note"]) == ("Reboot", "System will now reboot for rollback")


def test_rollback_switched_off_keeps_the_release_and_its_own_words(site: Site) -> None:
    cause, error = prepare_fault(site)
    upgrade = make_upgrade(UPGRADING)
    upgrade["metadata"]["annotations"] = {SWITCH: "Disabled"}
    site.node.write(NEW, "lib/lca/ibu.json", upgrade)
    site.boot()
    failed = site.wait_last(last_condition(error))
    assert cause not in str(read_conditions(failed))
    assert get_stages(failed) == ("Rollback",)
    assert "init-monitor" not in str(read_conditions(failed))
    assert site.node.count_reboots() == 0


def test_rollback_switched_off_says_that_the_watchdog_is_not(site: Site) -> None:
    _, error = prepare_fault(site)
    upgrade = make_upgrade(UPGRADING)
    upgrade["metadata"]["annotations"] = {SWITCH: "Disabled"}
    site.node.write(NEW, "lib/lca/ibu.json", upgrade)
    config = {"monitor_enabled": True, "monitor_timeout": 900, "enabled_components": {}}
    site.node.write(NEW, "lib/lca/autorollback_config.json", config)
    site.boot()
    failed = site.wait_last(last_condition(error))
    assert "lca-init-monitor.service still rolls back 900 s after the boot" in read_conditions(failed)[-1]


def test_rollback_switch_is_read_from_the_live_resource(site: Site) -> None:
    _, error = prepare_fault(site)
    with site.broken("rpm-ostree", "until [ -e /run/node/go ]; do sleep 0.02; done"):
        site.boot()
        site.wait(lambda obj: bool(obj.get("status")))
        site.annotate(**{SWITCH: "Disabled"})
        (site.node.control / "go").touch()
        site.wait_last(last_condition(error))
    assert site.node.count_reboots() == 0


FAILURES: dict[str, tuple[str, str, str]] = {
    "no-set-default": ("ostree", '[ "$2" != --help ] || exit 0', "automatic rollback not supported in this release"),
    "remount": ("mount", "echo permission denied; exit 32", "unable to remount sysroot: permission denied"),
    "reboot": ("systemd-run", "echo no; exit 1", "failed to reboot with systemd :no"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_rollback_that_fails_leaves_the_failed_status_and_a_hint(site: Site, name: str) -> None:
    cause, error = prepare_fault(site)
    program, script, problem = FAILURES[name]
    with site.broken(program, script):
        site.boot()
        site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))
        failed = site.wait(lambda obj: "the automatic rollback failed: " in str(read_conditions(obj)[-1:]))
    text = read_conditions(failed)[-1]
    assert text.startswith(last_condition(error))
    assert problem in text
    assert text.endswith("; set spec.stage to Rollback to try it again")
    assert get_stages(failed) == ("Rollback",)
    site.operator.wait_for(lambda record: record["message"].startswith("unable to auto rollback: "))
    site.want("Rollback")
    site.wait_reboot()
    assert site.boot() == OLD
    site.wait_last("RollbackCompleted=True/Completed Rollback completed")


def test_rollback_without_a_saved_resource_saves_the_live_one(site: Site) -> None:
    """The original release was booted by hand before and has used its copy up."""
    cause, error = prepare_fault(site)
    (site.node.var(OLD) / "lib/lca/ibu.json").unlink()
    site.boot()
    site.wait_reboot()
    assert site.boot() == OLD
    back = site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))
    assert read_conditions(back)[: len(PREPARED)] == list(PREPARED)


def test_rollback_that_ends_in_the_new_release_again_is_not_repeated(site: Site) -> None:
    """The boot loader has fallen back, or somebody has chosen the new release: no endless loop of reboots."""
    _, error = prepare_fault(site)
    site.boot()
    site.wait_reboot()
    assert site.boot(NEW) == NEW
    failed = site.wait_last(last_condition(error))
    assert read_conditions(failed)[-1].endswith(
        "the node was rebooted for the automatic rollback and is booted into the new release again"
    )
    assert get_stages(failed) == ("Rollback",)
    assert site.node.count_reboots() == 1


def test_rollback_cut_short_by_a_power_loss_goes_on(site: Site) -> None:
    """The power went before the reboot was asked for; the failed status had been written."""
    cause, error = prepare_fault(site)
    with site.broken("ostree", '[ "$2" != --help ] || { touch /run/node/deciding; sleep 1000; }'):
        site.boot()
        site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))
        site.stop()
    assert site.boot(NEW) == NEW
    site.wait_reboot()
    assert site.boot() == OLD
    site.wait_last(last_condition(f"Rollback due to {cause}: {error}"))


def test_abort_after_an_automatic_rollback_leaves_one_release(site: Site) -> None:
    prepare_fault(site)
    site.boot()
    site.wait_reboot()
    site.boot()
    site.wait_last("UpgradeInProgress=False/Failed Rollback due to")
    site.want("Idle")
    idle = site.wait_conditions("Idle=True/Idle Idle")
    assert get_stages(idle) == ("Prep",)
    assert "history" not in idle["status"]
    assert site.node.deployments() == [OLD]
    assert not site.node.var(NEW).exists()
    assert list((site.node.var(OLD) / "lib/lca").iterdir()) == []
