"""The watchdog on a node whose parts work, or do not."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess

import pytest

from agent.node.ending import Interrupted, ProgramError
from agent.node.initmonitor.plan import ATTEMPT_PAUSES_SECONDS
from agent.node.initmonitor.program import judge_stop, watch
from agent.node.initmonitor.reserve import RESERVE_FILE, Reserve
from agent.node.initmonitor.watchdog import send_back
from agent.pivot.completion import MARK, hold_verdict
from tests.host.pivotednode import OLD, SAVED, PivotedNode

MESSAGE = "Rollback due to LCA Init Monitor timeout, after 5m0s"
NO_RPM_OSTREE = "echo error: cannot connect to the daemon >&2; exit 1"


def run_watch(pivoted: PivotedNode) -> None:
    """One run that ends with the reboot, or by itself."""
    watch(pivoted.runner, pivoted.root, "ibu", pivoted.clock)


def test_watchdog_rolls_back_when_its_time_is_over(pivoted: PivotedNode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run_watch(pivoted)
    assert pivoted.slept[0] == 300
    assert pivoted.reason == MESSAGE
    assert pivoted.default_switched
    assert pivoted.rebooted
    assert caplog.messages[0] == (
        "Launching LCA Init Monitor timeout. Automatic rollback will occur in 5m0s "
        "if upgrade is not completed successfully within that time"
    )
    assert not pivoted.root.path(RESERVE_FILE).exists()


def test_watchdog_of_a_completed_upgrade_does_not_even_wait(pivoted: PivotedNode) -> None:
    pivoted.root.path(MARK).touch()
    run_watch(pivoted)
    assert pivoted.slept == []
    assert not pivoted.rebooted


def test_watchdog_lets_go_of_an_upgrade_that_completes_while_it_waits(pivoted: PivotedNode) -> None:
    def complete(seconds: float) -> None:
        pivoted.root.path(MARK).touch()

    clock = pivoted.clock
    watch(pivoted.runner, pivoted.root, "ibu", type(clock)(clock.now, complete))
    assert not pivoted.default_switched
    assert not pivoted.rebooted


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"monitor_enabled": False}, "LCA Init Monitor automatic rollback is disabled in IBU configuration"),
        ({"monitor_timeout": 0}, "LCA Init Monitor is off: its timeout is 0 s"),
    ],
)
def test_watchdog_that_is_off_says_so(
    pivoted: PivotedNode, caplog: pytest.LogCaptureFixture, changes: dict[str, object], text: str
) -> None:
    caplog.set_level(logging.INFO)
    pivoted.write_config(**changes)
    run_watch(pivoted)
    assert caplog.messages == [text]


def test_watchdog_without_configuration_is_silent(pivoted: PivotedNode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pivoted.root.path("/var/lib/lca/autorollback_config.json").unlink()
    run_watch(pivoted)
    assert caplog.messages == []


def test_watchdog_with_a_damaged_configuration_watches_for_the_default_time(
    pivoted: PivotedNode, caplog: pytest.LogCaptureFixture
) -> None:
    pivoted.root.path("/var/lib/lca/autorollback_config.json").write_bytes(b"\0\0")
    run_watch(pivoted)
    assert caplog.messages[0].startswith("/var/lib/lca/autorollback_config.json can not be used: ")
    assert pivoted.slept[0] == 1800
    assert pivoted.reason == "Rollback due to LCA Init Monitor timeout, after 30m0s"
    assert pivoted.rebooted


@pytest.mark.parametrize("mode", ["ipconfig", "ipc"])
def test_watchdog_for_changed_addresses_refuses(pivoted: PivotedNode, mode: str) -> None:
    with pytest.raises(ProgramError, match="does not change addresses"):
        watch(pivoted.runner, pivoted.root, mode, pivoted.clock)


def test_watchdog_tries_again_and_goes_on_by_force(pivoted: PivotedNode) -> None:
    pivoted.node.break_command("rpm-ostree status", NO_RPM_OSTREE)
    run_watch(pivoted)
    assert pivoted.slept[1:5] == list(ATTEMPT_PAUSES_SECONDS)
    assert pivoted.reason == MESSAGE
    assert pivoted.default_switched
    assert pivoted.rebooted


@pytest.mark.parametrize("content", [None, "", "\0half", '{"spec":{}}'])
def test_watchdog_rolls_back_without_a_usable_saved_resource(pivoted: PivotedNode, content: str | None) -> None:
    pivoted.saved_file.unlink()
    if content is not None:
        pivoted.save(content)
    run_watch(pivoted)
    assert pivoted.default_switched
    assert pivoted.rebooted


def test_watchdog_that_can_not_switch_the_default_leaves_the_node_as_it_is(pivoted: PivotedNode) -> None:
    pivoted.node.break_command("ostree admin", '[ "$2" != set-default ] || { echo no space >&2; exit 1; }')
    with pytest.raises(ProgramError, match="^unable to auto rollback: failed run ostree set-default"):
        run_watch(pivoted)
    assert not pivoted.rebooted


def test_watchdog_without_another_stateroot_leaves_the_node_as_it_is(pivoted: PivotedNode) -> None:
    subprocess.run(
        ["ostree", "admin", f"--sysroot={pivoted.node.sysroot}", "undeploy", "1"], check=True, capture_output=True
    )
    with pytest.raises(ProgramError, match="unable to find deployment in unbooted stateroot"):
        run_watch(pivoted)
    assert not pivoted.rebooted


def test_watchdog_asks_again_without_a_note_when_the_reboot_is_refused(pivoted: PivotedNode) -> None:
    """Five attempts in order, then one with a note, and one without."""
    pivoted.refuse_reboots(6)
    run_watch(pivoted)
    assert pivoted.asked_reboots == 7
    assert pivoted.rebooted


def test_watchdog_forces_a_reboot_that_is_never_accepted(pivoted: PivotedNode) -> None:
    pivoted.refuse_reboots(1000)
    run_watch(pivoted)
    assert pivoted.slept[-1] == 120
    assert [command for command in pivoted.node.commands() if command[:2] == ["systemctl", "reboot"]] == [
        ["systemctl", "reboot", "--force"]
    ]


def test_watchdog_does_not_wait_for_a_verdict_that_never_comes(pivoted: PivotedNode) -> None:
    reserve = Reserve(pivoted.root)
    with hold_verdict(pivoted.root), pytest.raises(Interrupted):
        send_back(pivoted.runner, pivoted.root, reserve, MESSAGE, pivoted.clock, attempt_seconds=0.2)
    assert pivoted.reason == MESSAGE
    assert pivoted.rebooted


@pytest.mark.parametrize(("result", "rolls_back"), [("exit-code", True), ("success", False), ("", False)])
def test_end_of_a_unit_is_judged(pivoted: PivotedNode, result: str, *, rolls_back: bool) -> None:
    with pytest.raises(Interrupted) if rolls_back else contextlib.nullcontext():
        judge_stop(pivoted.runner, pivoted.root, "config", result, pivoted.clock)
    assert pivoted.rebooted is rolls_back
    if rolls_back:
        assert pivoted.reason == "Rollback due to service-unit failure: component config"


def test_end_of_a_unit_that_can_not_be_rolled_back_fails(pivoted: PivotedNode) -> None:
    pivoted.saved_file.unlink()
    path = f"/ostree/deploy/{OLD}/var/lib/lca/ibu.json"
    with pytest.raises(ProgramError, match=f"^unable to auto rollback: unable to read saved IBU CR from {path}: "):
        judge_stop(pivoted.runner, pivoted.root, "config", "exit-code", pivoted.clock)
    assert not pivoted.default_switched


def test_saved_resource_keeps_what_else_it_holds(pivoted: PivotedNode) -> None:
    run_watch(pivoted)
    saved = json.loads(pivoted.saved_file.read_text())
    assert saved["spec"] == SAVED["spec"]
    assert saved["metadata"]["name"] == "upgrade"
