from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sandbox.daemon import DaemonError
from sandbox.outside import Registry


def skopeo(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["skopeo", *argv], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def image(tmp_path: Path) -> str:
    """A tiny image as a `dir:` reference that skopeo can push."""
    layer = tmp_path / "content"
    layer.mkdir()
    (layer / "hello").write_text("hello\n")
    storage = f"--root={tmp_path}/buildah --runroot={tmp_path}/run --storage-driver=vfs".split()
    script = f"c=$(buildah {' '.join(storage)} from scratch); buildah {' '.join(storage)} copy $c {layer} /; "
    script += f"buildah {' '.join(storage)} commit $c dir:{tmp_path}/image"
    subprocess.run(["bash", "-ec", script], check=True, capture_output=True)
    return f"dir:{tmp_path}/image"


def push(registry: Registry, image: str, *options: str) -> subprocess.CompletedProcess[str]:
    return skopeo("copy", "--dest-tls-verify=false", *options, image, f"docker://{registry.address}/seed:1")


def inspect(registry: Registry, *options: str) -> subprocess.CompletedProcess[str]:
    return skopeo("inspect", "--tls-verify=false", *options, f"docker://{registry.address}/seed:1")


def test_registry_stopped_refuses_and_started_again_has_the_image(registry: Registry, image: str) -> None:
    assert push(registry, image).returncode == 0
    registry.stop()
    assert "connection refused" in inspect(registry).stderr
    registry.start()
    assert inspect(registry).returncode == 0


def test_registry_first_user_added_while_running_demands_the_password(registry: Registry, image: str) -> None:
    registry.add_user("core", "secret")
    assert "unauthorized" in push(registry, image).stderr.lower() + push(registry, image).stdout.lower()
    assert push(registry, image, "--dest-creds=core:secret").returncode == 0
    assert inspect(registry, "--creds=core:wrong").returncode != 0


def test_registry_second_user_needs_no_restart(registry: Registry, image: str) -> None:
    registry.add_user("core", "secret")
    pid = registry.pid
    registry.add_user("other", "pw")
    assert push(registry, image, "--dest-creds=other:pw").returncode == 0
    assert push(registry, image, "--dest-creds=core:secret").returncode == 0
    assert registry.pid == pid


def test_registry_port_taken_is_one_clear_line(registry: Registry, tmp_path: Path) -> None:
    other = Registry(tmp_path / "other", registry.port, log_file=tmp_path / "other.log")
    with pytest.raises(
        DaemonError, match="^the container registry cannot listen on .*: it is taken by docker-registry "
    ):
        other.start()
    assert other.pid is None
