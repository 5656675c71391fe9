"""Who may do what: users known by tokens and by client certificates, under RBAC."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
import yaml

from sandbox.controlplane import ControlPlane, ControlPlaneError
from sandbox.controlplane.kubeconfig import write_kubeconfig
from sandbox.controlplane.pki import Pki


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("users"), controllers=None)
    plane.add_token("robot", ["readers", "writers"])
    with plane:
        for rule in (
            ["clusterrole", "reader", "--verb=list", "--resource=configmaps"],
            ["clusterrolebinding", "readers", "--clusterrole=reader", "--group=readers"],
        ):
            assert ask(plane.admin_kubeconfig, "create", *rule).returncode == 0
        yield plane


@pytest.fixture(params=["token", "certificate"])
def robot(request: pytest.FixtureRequest, plane: ControlPlane, tmp_path: Path) -> Path:
    """The kubeconfig of the user robot, in either form."""
    path = tmp_path / "robot.kubeconfig"
    plane.write_kubeconfig(path, "robot", ["readers", "writers"], client_certificate=request.param == "certificate")
    return path


def ask(kubeconfig: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", "--kubeconfig", kubeconfig, *argv], check=False, capture_output=True, text=True)


def test_user_may_do_what_its_groups_may(robot: Path) -> None:
    assert ask(robot, "get", "configmaps").returncode == 0


def test_user_may_do_nothing_else(robot: Path) -> None:
    refused = ask(robot, "create", "configmap", "x")
    assert 'User "robot" cannot create resource "configmaps"' in refused.stderr


def test_wrong_token_is_unauthorized(plane: ControlPlane, tmp_path: Path) -> None:
    path = tmp_path / "robot.kubeconfig"
    plane.write_kubeconfig(path, "robot", client_certificate=False)
    path.write_text(path.read_text().replace("token: ", "token: x"))
    assert "must be logged in" in ask(path, "get", "configmaps").stderr


def test_kubeconfig_without_the_right_ca_is_refused_by_the_client(plane: ControlPlane, tmp_path: Path) -> None:
    document = yaml.safe_load(plane.admin_kubeconfig.read_text())
    del document["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    assert "unknown authority" in ask(tmp_path / "kubeconfig", "get", "configmaps").stderr


def test_client_certificate_of_another_ca_is_unauthorized(plane: ControlPlane, tmp_path: Path) -> None:
    stranger = Pki(tmp_path / "pki")
    stranger.ensure(["localhost"])
    write_kubeconfig(
        tmp_path / "kubeconfig",
        server=plane.server,
        ca_pem=plane.ca_file.read_bytes(),
        user="admin",
        certificate=stranger.issue_client("admin", ["system:masters"]),
    )
    assert "must be logged in" in ask(tmp_path / "kubeconfig", "get", "configmaps").stderr


def test_token_user_added_while_running_is_refused(plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match="before its start"):
        plane.add_token("late")


def test_kubeconfig_for_a_user_without_token_is_refused(plane: ControlPlane, tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneError, match="nobody has no token"):
        plane.write_kubeconfig(tmp_path / "x", "nobody", client_certificate=False)


def test_secrets_are_readable_by_their_owner_only(plane: ControlPlane) -> None:
    folders = (plane.directory, plane.ca_file.parent)
    files = [path for folder in folders for path in folder.iterdir() if path.is_file() and path.name != "lock"]
    assert {path.name for path in files} >= {"kubeconfig", "ca.key", "sa.key", "tokens.csv"}
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_plain_http_is_not_served(plane: ControlPlane) -> None:
    with pytest.raises(HTTPError, match="Bad Request"):
        urllib.request.urlopen(f"{plane.server.replace('https', 'http')}/version")
