"""Starting, stopping and starting again."""

import json
import os
import subprocess
from pathlib import Path

from sandbox.controlplane import ControlPlane


def kubectl(kubeconfig: Path, *argv: str) -> str:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(["kubectl", *argv], env=environment, check=True, capture_output=True, text=True).stdout


def test_restart_with_the_same_folders_gives_the_same_cluster(tmp_path: Path) -> None:
    folders = {"etcd_data": tmp_path / "data", "pki": tmp_path / "identity"}
    first = ControlPlane(tmp_path / "first", controllers=None, **folders)
    token = first.add_token("robot", ["robots"])
    with first:
        kubectl(first.admin_kubeconfig, "create", "configmap", "kept", "--from-literal=a=b")
        ca = first.ca_file.read_bytes()
    second = ControlPlane(tmp_path / "second", controllers=None, **folders)
    assert second.add_token("robot", ["robots"]) == token
    with second:
        assert json.loads(kubectl(second.admin_kubeconfig, "get", "cm", "kept", "-ojson"))["data"] == {"a": "b"}
        assert second.ca_file.read_bytes() == ca
