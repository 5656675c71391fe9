"""How the program ends when a step fails, on a node with a real way back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest

from agent.node.ending import FatalError, Interrupted
from agent.node.postpivot.program import configure_or_roll_back
from agent.node.postpivot.run import PostPivot
from agent.pivot.completion import MARK
from agent.workflow.outcome import Done, Failed, Outcome
from agent.workflow.step import Itinerary, Step
from seeds.reconfiguration import SeedReconfiguration
from tests.host.pivotednode import PivotedNode

SECRET = "dXNlcjpwYXNzd29yZA=="
FAILED = "Post pivot operation failed"


def run_itinerary(pivoted: PivotedNode, *actions: Callable[[PostPivot], Outcome]) -> PostPivot:
    run = PostPivot(pivoted.root, pivoted.runner, pivoted.clock)
    run.site = SeedReconfiguration.parse(json.dumps({"pull_secret": json.dumps({"auths": {"q": {"auth": SECRET}}})}))
    steps = tuple(Step(f"step {number}", action) for number, action in enumerate(actions))
    configure_or_roll_back(run, Itinerary("test", steps))
    return run


def test_good_run_returns_and_knows_how_long_it_may_wait(pivoted: PivotedNode) -> None:
    assert run_itinerary(pivoted, lambda run: Done()).wait_seconds == 300
    assert not pivoted.rebooted


def test_failed_step_sends_the_node_back_with_its_text(pivoted: PivotedNode) -> None:
    with pytest.raises(Interrupted):
        run_itinerary(pivoted, lambda run: Failed("no luck"))
    assert pivoted.reason == "Rollback due to postpivot failure: no luck"
    assert pivoted.default_switched
    assert pivoted.slept == [3600]


def test_unexpected_error_sends_the_node_back_as_well(pivoted: PivotedNode) -> None:
    def stumble(run: PostPivot) -> Outcome:
        raise KeyError("x")

    with pytest.raises(Interrupted):
        run_itinerary(pivoted, stumble)
    assert pivoted.reason == "Rollback due to postpivot failure: unexpected error: KeyError: 'x'"


def test_reason_holds_no_secret_and_fits_into_a_condition(
    pivoted: PivotedNode, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted):
        run_itinerary(pivoted, lambda run: Failed(f"auth {SECRET} " + "x" * 100_000))
    assert pivoted.reason.startswith("Rollback due to postpivot failure: auth *** xxx")
    assert len(pivoted.reason) < 32_768
    assert SECRET not in caplog.text


def test_disabled_component_leaves_the_node_for_another_try(
    pivoted: PivotedNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pivoted.write_config(enabled_components={"config": True, "postpivot": False})
    with pytest.raises(FatalError, match=f"^{FAILED}$"):
        run_itinerary(pivoted, lambda run: Failed("no luck"))
    assert "no luck" in caplog.messages
    assert any("disabled for component postpivot" in message for message in caplog.messages)
    assert not pivoted.rebooted


@pytest.mark.parametrize("content", [None, b"\0"])
def test_node_without_a_usable_configuration_is_not_sent_back(pivoted: PivotedNode, content: bytes | None) -> None:
    path = pivoted.root.path("/var/lib/lca/autorollback_config.json")
    path.unlink()
    if content:
        path.write_bytes(content)
    with pytest.raises(FatalError):
        run_itinerary(pivoted, lambda run: Failed("no luck"))
    assert not pivoted.rebooted


def test_completed_upgrade_is_not_sent_back(pivoted: PivotedNode) -> None:
    pivoted.root.path(MARK).touch()
    with pytest.raises(FatalError):
        run_itinerary(pivoted, lambda run: Failed("no luck"))
    assert not pivoted.default_switched


def test_node_that_can_not_be_sent_back_says_why(pivoted: PivotedNode, caplog: pytest.LogCaptureFixture) -> None:
    pivoted.saved_file.unlink()
    with pytest.raises(FatalError):
        run_itinerary(pivoted, lambda run: Failed("no luck"))
    path = "/ostree/deploy/rhcos/var/lib/lca/ibu.json"
    assert f"unable to auto rollback: unable to read saved IBU CR from {path}: there is no such file" in caplog.messages


def test_reboot_that_does_not_come_within_an_hour_is_told(
    pivoted: PivotedNode, caplog: pytest.LogCaptureFixture
) -> None:
    clock = pivoted.clock
    run = PostPivot(pivoted.root, pivoted.runner, type(clock)(clock.now, lambda seconds: None))
    with pytest.raises(FatalError):
        configure_or_roll_back(run, Itinerary("test", (Step("step", lambda run: Failed("no luck")),)))
    assert "failed to reboot. This should never happen! Please check the system" in caplog.messages
