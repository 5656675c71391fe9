import json
import os
from pathlib import Path

import pytest

from hostops.hostroot import HostRoot
from hostops.rpmostree import DeploymentError, Deployments, KnownDeployments
from hostops.runner import CommandError, Result


def deployments(*entries: tuple[str, bool]) -> Deployments:
    items = [{"id": f"{name}-abc.0", "osname": name, "booted": booted} for name, booted in entries]
    return Deployments.parse(json.dumps({"deployments": items, "transaction": None}))


def test_deployments_keep_boot_order_and_names():
    found = deployments(("rhcos", True), ("rhcos_4.16.1", False), ("rhcos_4.16.1", False))
    assert [(item.index, item.stateroot) for item in found.items] == [
        (0, "rhcos"),
        (1, "rhcos_4.16.1"),
        (2, "rhcos_4.16.1"),
    ]
    assert found.booted.stateroot == "rhcos"
    assert found.unbooted_stateroot() == "rhcos_4.16.1"
    assert found.index_of("rhcos_4.16.1") == 1
    assert [item.index for item in found.of_stateroot("rhcos_4.16.1")] == [1, 2]
    assert found.is_booted("rhcos")


@pytest.mark.parametrize("booted", [(), (True, True), (False, False)])
def test_booted_unless_exactly_one_is_an_error(booted):
    with pytest.raises(DeploymentError, match=r"^unable to determine booted stateroot$"):
        deployments(*[("rhcos", flag) for flag in booted]).booted  # noqa: B018


def test_unbooted_stateroot_with_one_stateroot_is_an_error():
    with pytest.raises(DeploymentError, match=r"^unable to find deployment in unbooted stateroot$"):
        deployments(("rhcos", True), ("rhcos", False)).unbooted_stateroot()


def test_index_of_an_unknown_stateroot_is_an_error():
    with pytest.raises(DeploymentError, match=r"^unable to find deployment in stateroot: rhcos_9$"):
        deployments(("rhcos", True)).index_of("rhcos_9")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"deployments": null}', '{"deployments": [{}]}', '{"deployments": [1]}']
)
def test_parse_of_anything_else_is_an_error(text):
    with pytest.raises(DeploymentError, match=r"^failed to unmarshal rpm-ostree status"):
        Deployments.parse(text)


class CountingRunner:
    """Answers `rpm-ostree status` and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.works = True

    def run(self, *argv, **_):
        self.calls += 1
        if not self.works:
            raise CommandError(argv, 1, "no bus", "exit status 1")
        return Result(argv, 0, json.dumps({"deployments": [{"osname": f"rhcos_{self.calls}", "booted": True}]}), 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ostree/deploy"
    folder.mkdir(parents=True)
    return folder


def test_host_is_asked_again_only_after_a_change(tmp_path, folder):
    runner = CountingRunner()
    known = KnownDeployments(runner, HostRoot(tmp_path))
    assert known.status().booted.stateroot == "rhcos_1"
    assert known.status().booted.stateroot == "rhcos_1"
    os.utime(folder)
    assert known.status().booted.stateroot == "rhcos_2"
    assert known.status(fresh=True).booted.stateroot == "rhcos_3"
    assert known.status().booted.stateroot == "rhcos_3"
    assert runner.calls == 3


def test_a_failed_answer_is_not_remembered_and_hides_no_earlier_change(tmp_path, folder):
    runner = CountingRunner()
    known = KnownDeployments(runner, HostRoot(tmp_path))
    known.status()
    os.utime(folder)
    runner.works = False
    for _ in range(2):
        with pytest.raises(DeploymentError, match="failed to query status with rpmostree: no bus"):
            known.status()
    runner.works = True
    assert known.status().booted.stateroot == "rhcos_4"


def test_without_the_folder_the_host_is_always_asked(tmp_path):
    runner = CountingRunner()
    known = KnownDeployments(runner, HostRoot(tmp_path))
    assert [known.status().booted.stateroot for _ in range(2)] == ["rhcos_1", "rhcos_2"]
