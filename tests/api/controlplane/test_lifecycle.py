"""Starting, stopping and starting again; every test runs its own control plane."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from sandbox.controlplane import ControlPlane
from sandbox.controlplane.pki import Pki


def kubectl(kubeconfig: Path, *argv: str) -> str:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(["kubectl", *argv], env=environment, check=True, capture_output=True, text=True).stdout


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_restart_with_the_same_folders_gives_the_same_cluster(tmp_path: Path) -> None:
    data, identity = tmp_path / "data", tmp_path / "identity"
    first = ControlPlane(tmp_path / "first", controllers=None, etcd_data=data, pki=identity)
    token = first.add_token("robot", ["robots"])
    with first:
        kubectl(first.admin_kubeconfig, "create", "configmap", "kept", "--from-literal=a=b")
        ca = first.ca_file.read_bytes()
    second = ControlPlane(tmp_path / "second", controllers=None, etcd_data=data, pki=identity)
    assert second.add_token("robot", ["robots"]) == token
    with second:
        assert json.loads(kubectl(second.admin_kubeconfig, "get", "cm", "kept", "-ojson"))["data"] == {"a": "b"}
        assert second.ca_file.read_bytes() == ca


def test_restart_of_the_same_object_keeps_address_and_clients(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path, controllers=None)
    with plane:
        plane.write_kubeconfig(tmp_path / "robot", "robot", ["system:masters"])
        before = plane.server
    with plane:
        assert plane.server == before
        assert "kube-system" in kubectl(tmp_path / "robot", "get", "namespaces")


def test_two_at_once_are_two_clusters(tmp_path: Path, control_plane: ControlPlane) -> None:
    with ControlPlane(tmp_path, controllers=None) as other:
        kubectl(other.admin_kubeconfig, "create", "namespace", "only-here")
        assert "only-here" not in kubectl(control_plane.admin_kubeconfig, "get", "namespaces", "-oname")
        wrong_ca = ssl.create_default_context(cafile=str(control_plane.ca_file))
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(f"{other.server}/version", context=wrong_ca)


def test_start_costs_less_than_10_seconds_of_processor_time(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as plane:
        assert set(plane.pids) == {"etcd", "kube-apiserver", "kube-controller-manager"}
        assert sum(map(processor_seconds, plane.pids.values())) < 10


def test_stop_ends_every_program_and_frees_the_port(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path)
    plane.start()
    pids, port = plane.pids.values(), int(plane.server.rpartition(":")[2])
    plane.stop()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
    plane.stop()


def test_stop_does_not_wait_for_open_watches(tmp_path: Path) -> None:
    with ControlPlane(tmp_path, controllers=None) as plane:
        command = ["kubectl", "--kubeconfig", plane.admin_kubeconfig, "get", "ns", "--watch", "-oname"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as watch:
            assert watch.stdout
            assert watch.stdout.readline() == b"namespace/default\n"
            server, etcd = plane._daemons[1], plane._daemons[0]
            began = time.monotonic()
            plane.stop()
            assert time.monotonic() - began < 10
            watch.kill()
        assert (server.pid, etcd.pid) == (None, None)


def test_serving_certificate_is_renewed_for_new_names_and_the_ca_kept(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure(["localhost"])
    ca, first = pki.ca_certificate.read_bytes(), pki.serving_certificate.read_bytes()
    pki.ensure(["localhost"])
    assert pki.serving_certificate.read_bytes() == first
    pki.ensure(["localhost", "api.sno1.example.com"])
    assert pki.serving_certificate.read_bytes() != first
    assert pki.ca_certificate.read_bytes() == ca


def test_a_caller_gets_the_port_names_and_flags_it_asks_for(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plane = ControlPlane(
        tmp_path, controllers=None, api_port=port, server_names=["api.sno1.example.com"], api_flags={"v": "4"}
    )
    with plane:
        assert plane.server == f"https://127.0.0.1:{port}"
        context = ssl.create_default_context(cafile=str(plane.ca_file))
        with socket.create_connection(("127.0.0.1", port)) as plain:
            context.wrap_socket(plain, server_hostname="api.sno1.example.com").close()
        assert Path(f"/proc/{plane.pids['kube-apiserver']}/cmdline").read_bytes().count(b"--v=4") == 1
