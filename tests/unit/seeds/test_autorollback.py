import json

import pytest

from crds.imagebasedupgrade import ImageBasedUpgrade
from seeds.autorollback import AutoRollbackConfig

MONITOR = "auto-rollback-on-failure.lca.openshift.io/init-monitor"
CONFIGURATION = "auto-rollback-on-failure.lca.openshift.io/post-reboot-config"


def choose(annotations=None, spec=None):
    data = {"metadata": {"name": "upgrade", "annotations": annotations or {}}, "spec": spec or {}}
    return AutoRollbackConfig.choose(ImageBasedUpgrade.model_validate(data))


def test_default_has_everything_on_for_half_an_hour():
    text = '{"monitor_enabled":true,"monitor_timeout":1800,"enabled_components":{"config":true,"postpivot":true}}'
    assert choose().dump() == text


@pytest.mark.parametrize(("seconds", "expected"), [(0, 1800), (1, 1), (7200, 7200)])
def test_timeout_comes_from_the_spec(seconds, expected):
    assert (
        choose(spec={"autoRollbackOnFailure": {"initMonitorTimeoutSeconds": seconds}}).monitor_timeout_seconds
        == expected
    )


def test_disabled_monitor_is_left_out_of_the_file():
    assert json.loads(choose({MONITOR: "Disabled"}).dump()) == {
        "monitor_timeout": 1800,
        "enabled_components": {"config": True, "postpivot": True},
    }


def test_disabled_configuration_switches_both_components_off():
    assert json.loads(choose({CONFIGURATION: "Disabled"}).dump())["enabled_components"] == {
        "config": False,
        "postpivot": False,
    }


@pytest.mark.parametrize("value", ["disabled", "true", "", "Disabled "])
def test_every_other_value_means_enabled(value):
    assert choose({MONITOR: value, CONFIGURATION: value}) == AutoRollbackConfig()


@pytest.mark.parametrize("annotations", [{}, {MONITOR: "Disabled"}, {CONFIGURATION: "Disabled"}])
def test_dumped_file_is_read_back(annotations):
    config = choose(annotations)
    assert AutoRollbackConfig.parse(config.dump()) == config


def test_absent_switches_are_off_and_an_absent_timeout_is_the_default():
    assert AutoRollbackConfig.parse("{}") == AutoRollbackConfig(False, 1800, frozenset())


@pytest.mark.parametrize("text", ["", "[]", '{"monitor_timeout":"x"}', '{"enabled_components":[1]}'])
def test_damaged_file_is_refused(text):
    with pytest.raises(ValueError, match="."):
        AutoRollbackConfig.parse(text)
