"""The Rollback stage: recorded runs of the original operator, its failures, and what is better here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.operator.pivot.node import NEW, OLD, WATCHDOG
from tests.api.operator.pivot.site import (
    PREPARED,
    ROLLED_BACK,
    UNCONTROLLED,
    UPGRADED,
    Site,
    get_stages,
    make_upgrade,
)
from tools.operator_process import read_conditions

RETRY = "lca.openshift.io/manual-cleanup-done"
HINT = "; correct the cause, then add 'lca.openshift.io/manual-cleanup-done' annotation to ibu CR to try again"
RUNNING = "RollbackInProgress=True/InProgress"


@pytest.fixture
def upgraded(site: Site) -> Site:
    """The upgrade is complete; the original release has the copy that the pre-pivot left."""
    site.node.boot(NEW)
    site.node.write(OLD, "lib/lca/ibu.json", make_upgrade(UNCONTROLLED))
    site.put(make_upgrade(UPGRADED, next_stages=("Idle", "Rollback")))
    site.start()
    site.wait_conditions(*UPGRADED)
    return site


def fail(message: str) -> tuple[str, ...]:
    return (
        *PREPARED,
        "UpgradeInProgress=False/Failed Rollback requested",
        "UpgradeCompleted=False/Failed Rollback requested",
        "RollbackCompleted=False/Failed Rollback failed",
        f"RollbackInProgress=False/Failed {message}{HINT}",
    )


def test_rollback_boots_the_original_release_and_completes_there(upgraded: Site) -> None:
    upgraded.want("Rollback")
    upgraded.wait_reboot()
    shown = upgraded.list_shown()
    assert shown[1:] == [f"{RUNNING} In progress", f"{RUNNING} Initiating rollback", f"{RUNNING} Completing rollback"]
    last = upgraded.states()[-1]
    assert get_stages(last) == ()
    assert last["status"]["history"][-1].keys() == {"stage", "startTime"}
    assert upgraded.boot() == OLD
    back = upgraded.wait_conditions(*ROLLED_BACK)
    assert get_stages(back) == ("Idle",)
    assert back["status"]["history"][-1].keys() == {"stage", "startTime", "completionTime"}
    assert "rollbackAvailabilityExpiration" not in back["status"]
    assert not (upgraded.node.var(OLD) / "lib/lca/ibu.json").exists()


def test_rollback_saves_first_and_switches_last(upgraded: Site) -> None:
    with upgraded.broken("ostree", '[ "$2" != set-default ] || { touch /run/node/switching; sleep 1000; }'):
        upgraded.want("Rollback")
        upgraded.wait_last(f"{RUNNING} Completing rollback")
        saved = upgraded.node.var(OLD) / "lib/lca/ibu.json"
        upgraded.wait_file(upgraded.node.control / "switching")
        assert f"{RUNNING} Completing rollback" in read_conditions(json.loads(saved.read_text()))
        assert upgraded.node.deployments() == [NEW, OLD]
        upgraded.stop()


def test_rollback_calls_the_watchdog_off(upgraded: Site) -> None:
    upgraded.want("Rollback")
    upgraded.wait_reboot()
    assert (upgraded.node.control / "units" / WATCHDOG).read_text() == ""


def test_finalize_after_the_rollback_removes_the_new_release(upgraded: Site) -> None:
    upgraded.want("Rollback")
    upgraded.wait_reboot()
    upgraded.boot()
    upgraded.wait_conditions(*ROLLED_BACK)
    upgraded.want("Idle")
    upgraded.wait_conditions("Idle=True/Idle Idle")
    assert any(text.startswith("Idle=False/Finalizing") for text in upgraded.list_shown())
    assert upgraded.node.deployments() == [OLD]
    assert not upgraded.node.var(NEW).exists()


def test_finalize_after_the_upgrade_removes_the_original_release_and_the_verdict(upgraded: Site) -> None:
    (upgraded.node.var(NEW) / "lib/lca/upgrade_completed").touch()
    upgraded.want("Idle")
    upgraded.wait_conditions("Idle=True/Idle Idle")
    assert upgraded.node.deployments() == [NEW]
    assert not (upgraded.node.var(NEW) / "lib/lca/upgrade_completed").exists()


def test_finalize_keeps_the_verdict_while_a_watchdog_can_not_be_stopped(upgraded: Site) -> None:
    (upgraded.node.var(NEW) / "lib/lca/upgrade_completed").touch()
    with upgraded.broken("systemctl", '[ "$1" != stop ] || { echo Failed to stop; exit 1; }'):
        upgraded.want("Idle")
        upgraded.wait_conditions("Idle=True/Idle Idle")
    assert (upgraded.node.var(NEW) / "lib/lca/upgrade_completed").exists()


def test_finalize_003_failed_cleanup_is_repeated_by_the_annotation(upgraded: Site) -> None:
    with upgraded.broken("ostree", '[ "$2" != undeploy ] || { echo "error: x"; exit 1; }'):
        upgraded.want("Idle")
        failed = upgraded.wait_last("Idle=False/FinalizeFailed failed to clean up host stateroot resources: ")
    assert get_stages(failed) == ()
    assert upgraded.node.var(OLD).exists()
    upgraded.annotate(**{RETRY: ""})
    idle = upgraded.wait_conditions("Idle=True/Idle Idle")
    assert get_stages(idle) == ("Prep",)
    assert upgraded.node.deployments() == [NEW]


FAILURES: dict[str, tuple[str, str, str]] = {
    "rollback-004": (
        "mount",
        "echo 'mount: /sysroot: permission denied.'; exit 32",
        "failed to remount sysroot: mount: /sysroot: permission denied.\n: exit status 32",
    ),
    "set-default": (
        "ostree",
        '[ "$2" != set-default ] || { echo no space; exit 1; }',
        "failed run ostree set-default with args [admin set-default 1]: no space\n: exit status 1",
    ),
    "reboot": ("systemd-run", "echo no; exit 1", "failed to reboot with systemd :no\n: exit status 1"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_rollback_that_fails_is_undone_and_can_be_repeated(upgraded: Site, name: str) -> None:
    program, script, message = FAILURES[name]
    with upgraded.broken(program, script):
        upgraded.want("Rollback")
        failed = upgraded.wait_conditions(*fail(message))
    assert get_stages(failed) == ()
    assert upgraded.node.deployments() == [NEW, OLD]
    upgraded.annotate(**{RETRY: ""})
    upgraded.wait_reboot()
    assert RETRY not in upgraded.read()["metadata"].get("annotations", {})
    assert upgraded.boot() == OLD
    upgraded.wait_conditions(*ROLLED_BACK)


def test_rollback_008_without_the_folder_of_the_saved_resource_fails(upgraded: Site) -> None:
    folder = upgraded.node.var(OLD) / "lib/lca"
    (folder / "ibu.json").unlink()
    folder.rmdir()
    upgraded.want("Rollback")
    path = "/ostree/deploy/rhcos/var/lib/lca/ibu.json"
    upgraded.wait_conditions(*fail(f"failed to write file to {path}: open {path}: no such file or directory"))
    assert upgraded.node.deployments() == [NEW, OLD]


def test_rollback_without_another_release_fails(upgraded: Site) -> None:
    upgraded.node.run("ostree", "admin", "undeploy", "1")
    upgraded.want("Rollback")
    upgraded.wait_conditions(*fail("unable to find deployment in unbooted stateroot"))


def test_rollback_waits_for_an_administrator_where_ostree_can_not_set_the_default(upgraded: Site) -> None:
    with upgraded.broken("ostree", '[ "$2" != --help ] || exit 0'):
        upgraded.want("Rollback")
        waiting = upgraded.wait_last(f"{RUNNING} default deployment must be manually set for next boot")
        assert get_stages(waiting) == ()
        assert upgraded.node.count_reboots() == 0
        upgraded.node.set_default(OLD)
        upgraded.annotate(**{"lca.openshift.io/trigger-reconcile": "1"})
        upgraded.wait_reboot()
    assert upgraded.boot() == OLD
    upgraded.wait_conditions(*ROLLED_BACK)


@pytest.mark.parametrize(("hours", "verb"), [(-2, "passed"), (1, "passes")])
def test_rollback_with_certificates_at_their_end_warns(site: Site, hours: int, verb: str) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    site.node.boot(NEW)
    site.node.write(OLD, "lib/lca/ibu.json", make_upgrade(UNCONTROLLED))
    upgrade = make_upgrade(UPGRADED, next_stages=("Idle", "Rollback"))
    expiration = f"{end - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    upgrade["status"]["rollbackAvailabilityExpiration"] = expiration
    site.put(upgrade)
    site.start()
    site.want("Rollback")
    site.wait_reboot()
    warning = f"; rollbackAvailabilityExpiration {verb} at {expiration}: when the certificates of the original release"
    for beginning in ("Initiating rollback", "Completing rollback"):
        site.wait_last(f"{RUNNING} {beginning}{warning}")
    assert "rollbackAvailabilityExpiration" not in site.read()["status"]


def test_rollback_of_an_upgrade_that_still_runs_is_accepted(site: Site, client: Any) -> None:
    from tests.api.operator.pivot.test_post_pivot import break_operators

    break_operators(client, "etcd")
    site.prepare_pivot()
    site.boot()
    site.wait_last("UpgradeInProgress=True/InProgress Waiting for system to stabilize")
    site.want("Rollback")
    site.wait_reboot()
    assert site.boot() == OLD
    back = site.wait_last("RollbackCompleted=True/Completed Rollback completed")
    assert get_stages(back) == ("Idle",)
