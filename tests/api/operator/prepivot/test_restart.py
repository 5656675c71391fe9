"""The operator is started again, in the same boot or in another one, between saving the resource and the reboot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.ibu.prepivot.target import RepeatedError
from agent.ibu.restoring import ensure_resource
from agent.pivot.saved import SavedResource
from tests.api.operator.prepivot.upgrade import IBU, MARK, NEW, OLD, SAVED, SEED, Upgrade
from tools.operator_process import read_conditions

IN_PROGRESS = "UpgradeInProgress=True/InProgress In progress"


def test_restart_before_the_reboot_is_no_rollback(upgrade: Upgrade) -> None:
    """The original takes its own copy for the sign of one."""
    upgrade.begin()
    upgrade.break_default()
    with pytest.raises(RepeatedError):
        upgrade.run_pass()
    assert upgrade.node.root.path(SAVED).exists()
    before = upgrade.read()["metadata"]["uid"]
    upgrade.start()
    assert upgrade.read()["metadata"]["uid"] == before
    upgrade.mend_default()
    upgrade.run_pass()
    assert read_conditions(upgrade.read())[-1] == IN_PROGRESS
    assert upgrade.is_reboot_requested()


def test_old_release_that_is_booted_again_shows_the_failed_copy(upgrade: Upgrade) -> None:
    upgrade.begin()
    upgrade.run_pass()
    ensure_resource(upgrade.client, SavedResource(upgrade.node.root, boot_id="a later boot"), upgrade.now())
    assert read_conditions(upgrade.read())[-2:] == [
        "UpgradeCompleted=False/Failed Upgrade failed",
        "UpgradeInProgress=False/Failed Uncontrolled rollback",
    ]
    assert not upgrade.node.root.path(SAVED).exists()


def test_requested_reboot_is_not_requested_again(upgrade: Upgrade) -> None:
    upgrade.begin()
    upgrade.run_pass()
    before, files = upgrade.commands(), upgrade.load_saved(NEW)
    for _ in range(2):
        upgrade.start()
        left = upgrade.run_pass()
        assert left is not None
        assert left > timedelta(minutes=58)
    assert upgrade.commands() == before
    assert upgrade.load_saved(NEW) == files


def test_abort_waits_for_a_requested_reboot(upgrade: Upgrade) -> None:
    """It would remove the stateroot that is about to be booted."""
    upgrade.begin()
    left = upgrade.run_pass()
    assert left is not None
    upgrade.ask("Idle")
    upgrade.run_pass()
    assert read_conditions(upgrade.read())[-1] == IN_PROGRESS
    assert upgrade.default_stateroot() == NEW
    upgrade.late = left
    upgrade.run_pass()
    assert read_conditions(upgrade.read()) == ["Idle=True/Idle Idle"]
    assert not upgrade.stateroot.exists()
    assert upgrade.default_stateroot() == OLD
    for file in (MARK, SAVED):
        assert not upgrade.node.root.path(file).exists()


def test_abort_after_a_failed_reboot_leaves_nothing(upgrade: Upgrade) -> None:
    upgrade.node.break_command("systemd-run --unit", "echo no bus; exit 1")
    upgrade.begin()
    upgrade.run_pass()
    upgrade.ask("Idle")
    upgrade.run_pass()
    assert read_conditions(upgrade.read()) == ["Idle=True/Idle Idle"]
    assert not upgrade.stateroot.exists()
    assert upgrade.default_stateroot() == OLD


def test_copy_of_an_earlier_upgrade_is_gone_when_the_next_begins(upgrade: Upgrade) -> None:
    """Left by an original operator, say, it would turn a reboot during this upgrade into the end of another one."""
    upgrade.start()
    upgrade.run_pass()
    assert read_conditions(upgrade.read()) == ["Idle=True/Idle Idle"]
    upgrade.node.root.path(SAVED).write_text('{"spec": {"stage": "Upgrade"}}')
    upgrade.client.patch_merge(IBU, "upgrade", {"spec": {"stage": "Prep", "seedImageRef": SEED}})
    upgrade.run_pass()
    assert not upgrade.node.root.path(SAVED).exists()
