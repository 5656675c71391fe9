"""Unit files, key by key (post-pivot-and-rollback.md 3)."""

import configparser

from seeds.units import RESTORE_UNIT, TARGET_UNITS, enablement_links, read_unit

EXPECTED = {
    "installation-configuration.service": {
        "Unit": {
            "Description": "Image base SNO configuration script",
            "After": "coreos-update-ca-trust.service",
        },
        "Service": {
            "Type": "oneshot",
            "RemainAfterExit": "no",
            "ExecStart": "/usr/local/bin/lca-cli post-pivot",
            "Restart": "on-failure",
            "RestartSec": "5s",
        },
        "Install": {"WantedBy": "multi-user.target"},
    },
    "lca-init-monitor.service": {
        "Unit": {
            "Description": "Lifecycle Agent initialization monitor",
            "After": "NetworkManager-wait-online.service",
        },
        "Service": {
            "ExecStart": "/usr/local/bin/lca-cli init-monitor --monitor",
            "Restart": "on-failure",
            "RestartSec": "30s",
        },
        "Install": {"WantedBy": "multi-user.target"},
    },
}


def parse(name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(read_unit(name))
    return {section: dict(parser[section]) for section in parser.sections()}


def test_target_units_are_those_of_the_format():
    assert {name: parse(name) for name in TARGET_UNITS} == EXPECTED


def test_restoration_goes_before_what_a_target_starts_with_and_is_repeated_when_killed():
    unit = parse(RESTORE_UNIT)
    assert set(unit["Unit"]["Before"].split()) == set(TARGET_UNITS)
    assert unit["Service"] == {
        "Type": "oneshot",
        "ExecStart": "@COMMAND@",
        "Restart": "on-abnormal",
        "RestartSec": "10s",
    }


def test_enablement_links_follow_wanted_by():
    for name in (*TARGET_UNITS, RESTORE_UNIT):
        assert enablement_links(name) == (f"/etc/systemd/system/{parse(name)['Install']['WantedBy']}.wants/{name}",)
