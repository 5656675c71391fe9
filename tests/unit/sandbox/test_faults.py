import json
from pathlib import Path

import pytest

from sandbox.faults import FaultError, Faults


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(tmp_path / "faults.json")


def test_faults_without_file_are_empty(faults: Faults) -> None:
    assert faults.all() == {}
    assert faults.active("s3-down") is None


def test_faults_set_by_one_reader_are_seen_by_another(faults: Faults, tmp_path: Path) -> None:
    other = Faults(tmp_path / "faults.json")
    assert other.active("s3-down") is None
    faults.set("s3-down")
    assert other.active("s3-down") == ""
    faults.clear("s3-down")
    assert other.active("s3-down") is None


def test_clear_without_name_takes_back_everything(faults: Faults) -> None:
    faults.set("backup-fails", "app-*")
    faults.set("command", "^podman pull:125:no route")
    faults.clear()
    assert faults.all() == {}


def test_command_rules_add_up_and_are_written_for_the_stand_ins(faults: Faults, tmp_path: Path) -> None:
    faults.set("command", r"^podman pull x:1/y:125:boom: bang")
    faults.set("command", "^rpm-ostree:1")
    faults.set("command-delay", "^ostree:0.5")
    assert (tmp_path / "command-faults").read_text().splitlines() == [
        "fail\t^podman pull x:1/y\t125\tboom: bang",
        "fail\t^rpm-ostree\t1\t",
        "delay\t^ostree\t0.5\t",
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("s3-dwon", "", "did you mean s3-down"),
        ("command", "podman", "REGEX:CODE:OUTPUT"),
        ("command", "pod(man:1:", "bad regular expression"),
        ("command-delay", "podman:long", "REGEX:SECONDS"),
        ("kill-agent-at", "", "needs a value"),
        ("postpivot-fails", "a\nb", "line breaks"),
    ],
)
def test_bad_fault_is_refused_with_a_hint(faults: Faults, name: str, value: str, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        faults.set(name, value)
    assert faults.all() == {}


def test_faults_file_is_plain_json(faults: Faults, tmp_path: Path) -> None:
    faults.set("unhealthy-operator", "dns")
    assert json.loads((tmp_path / "faults.json").read_text()) == {"unhealthy-operator": "dns"}
