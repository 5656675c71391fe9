"""post-pivot-and-rollback.md 11.2 and 11.4."""

import pytest

from agent.node.initmonitor.plan import Off, Watch, plan_after_stop, plan_watch
from seeds.autorollback import AutoRollbackConfig


def test_node_without_configuration_is_not_watched_and_nobody_is_told():
    assert plan_watch(None) == Off("")


def test_disabled_watchdog_says_so():
    plan = plan_watch(AutoRollbackConfig(monitor=False))
    assert plan == Off("LCA Init Monitor automatic rollback is disabled in IBU configuration")


@pytest.mark.parametrize("seconds", [0, -1])
def test_watchdog_without_time_is_off(seconds):
    assert isinstance(plan_watch(AutoRollbackConfig(monitor_timeout_seconds=seconds)), Off)


def test_watchdog_announces_and_explains_its_time():
    plan = plan_watch(AutoRollbackConfig(monitor_timeout_seconds=1800))
    assert plan == Watch(1800)
    assert plan.announcement == (
        "Launching LCA Init Monitor timeout. Automatic rollback will occur in 30m0s "
        "if upgrade is not completed successfully within that time"
    )
    assert plan.message == "Rollback due to LCA Init Monitor timeout, after 30m0s"


@pytest.mark.parametrize(
    ("config", "component", "result", "rolls_back"),
    [
        (AutoRollbackConfig(), "config", "exit-code", True),
        (AutoRollbackConfig(), "postpivot", "signal", True),
        (AutoRollbackConfig(), "config", "success", False),
        (AutoRollbackConfig(), "config", "", False),
        (AutoRollbackConfig(), "other", "exit-code", False),
        (AutoRollbackConfig(components=frozenset()), "config", "exit-code", False),
        (None, "config", "exit-code", False),
    ],
)
def test_end_of_a_unit_rolls_back_when_it_is_bad_and_may(config, component, result, rolls_back):
    expected = f"Rollback due to service-unit failure: component {component}" if rolls_back else None
    assert plan_after_stop(config, component, result) == expected
