"""What can go wrong at a start: one clear line, nothing left running."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.controlplane import Binaries, ControlPlane, ControlPlaneError, find_binaries
from sandbox.controlplane import plane as plane_module
from sandbox.controlplane.pki import Pki


def make_program(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fail_to_start(directory: Path, **arguments: object) -> str:
    """Start, which must fail with one line and leave nothing; that line."""
    plane = ControlPlane(directory, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ControlPlaneError) as failure:
        plane.start()
    assert plane.pids == {}
    assert not running_in(directory)
    assert "\n" not in str(failure.value)
    return str(failure.value)


def running_in(directory: Path) -> list[str]:
    commands = [path.read_bytes().decode() for path in Path("/proc").glob("[0-9]*/cmdline") if is_readable(path)]
    return [command for command in commands if f"={directory}" in command]


def is_readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(params=["16k", "512k", "40m"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Disks on which our own files, the logs, and only etcd's files find no room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_occupied_port_names_port_and_owner(tmp_path: Path, taken_port: int) -> None:
    message = fail_to_start(tmp_path, api_port=taken_port)
    assert f"port {taken_port} of 127.0.0.1 is taken by" in message
    assert f"(pid {os.getpid()})" in message


def test_port_taken_by_somebody_quicker_is_replaced(
    tmp_path: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = iter([taken_port])
    real = plane_module.choose_free_port
    monkeypatch.setattr(plane_module, "choose_free_port", lambda: next(choose, None) or real())
    with ControlPlane(tmp_path, controllers=None) as plane:
        assert not plane.server.endswith(f":{taken_port}")


def test_full_disk_is_said(small_disk: Path) -> None:
    message = fail_to_start(small_disk, controllers=None)
    assert "full" in message or "No space left on device" in message
    assert "free some space there and start again" in message


def test_crashing_program_is_named_with_its_words_and_log(tmp_path: Path) -> None:
    script = '[ "$1" = --help ] && exit; echo starting; echo Error: no such flag; echo bye; exit 3'
    crashing = make_program(tmp_path / "kube-apiserver", script)
    message = fail_to_start(tmp_path / "plane", binaries=replace(find_binaries(), api_server=crashing))
    assert "kube-apiserver ended with exit code 3; it said: Error: no such flag" in message
    assert str(tmp_path / "plane/logs/kube-apiserver.log") in message


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 3\n", "\x7fELF nonsense"])
def test_broken_program_is_named(tmp_path: Path, content: str) -> None:
    broken = tmp_path / "kube-apiserver"
    broken.write_text(content)
    broken.chmod(0o755)
    message = fail_to_start(tmp_path / "plane", binaries=replace(find_binaries(), api_server=broken))
    assert str(broken) in message
    assert "remove the file and run `make setup`" in message


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "apiserver.crt"])
def test_damaged_identity_is_named(tmp_path: Path, name: str) -> None:
    Pki(tmp_path / "pki").ensure(["localhost"])
    (tmp_path / "pki" / name).write_text("-----BEGIN nothing")
    assert f"{tmp_path}/pki/{name} can not be read as PEM" in fail_to_start(tmp_path)


def test_unknown_controller_is_said(tmp_path: Path) -> None:
    message = fail_to_start(tmp_path, controllers=["no-such-controller"])
    assert "kube-controller-manager ended with exit code" in message
    assert "no-such-controller" in message


def test_folder_in_use_is_refused_and_the_first_stays_well(control_plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match="another process runs the control plane"):
        ControlPlane(control_plane.directory).start()
    control_plane.raise_if_dead()


def test_missing_controller_manager_is_refused_before_the_start(tmp_path: Path) -> None:
    bare = Binaries(etcd=Path("etcd"), api_server=Path("kube-apiserver"), controller_manager=None, kubectl=None)
    with pytest.raises(ControlPlaneError, match="no kube-controller-manager beside kube-apiserver"):
        ControlPlane(tmp_path, binaries=bare)
