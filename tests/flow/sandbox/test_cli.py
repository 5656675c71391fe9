from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.node.sandbox import Sandbox

LCA = Path(sys.executable).parent / "lca"


def lca(*words: str, directory: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"PATH": path} if path else {})
    command = [str(LCA), "sandbox", words[0], "--dir", str(directory), *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_exec_passes_output_and_exit_code_on(bare: Sandbox) -> None:
    done = lca("exec", "--", "bash", "-c", "echo out; echo err >&2; exit 5", directory=bare.layout.directory)
    assert (done.returncode, done.stdout, done.stderr) == (5, "out\n", "err\n")


def test_status_shows_what_is_booted_and_what_ran(bare: Sandbox) -> None:
    bare.run("ostree", "admin", "status")
    values = json.loads(lca("status", "-o", "json", directory=bare.layout.directory).stdout)
    assert (values["phase"], values["booted"]["stateroot"], values["booted"]["version"]) == (
        "running",
        "rhcos",
        "4.15.0",
    )
    assert values["commands"][-1]["argv"] == ["ostree", "admin", "status"]
    assert {"name": "chronyd.service", "active": "active", "sub": "exited"} in values["units"]
    text = lca("status", directory=bare.layout.directory).stdout
    assert "booted       rhcos  release 4.15.0" in text


def test_logs_lists_parts_and_prints_one(bare: Sandbox) -> None:
    assert "chronyd" in lca("logs", directory=bare.layout.directory).stdout.split()
    assert "Started NTP client/server." in lca("logs", "chronyd.service", directory=bare.layout.directory).stdout
    unknown = lca("logs", "nonsense", directory=bare.layout.directory)
    assert (unknown.returncode, "no part is called nonsense" in unknown.stderr) == (1, True)


def test_fault_is_set_listed_and_cleared(bare: Sandbox) -> None:
    lca("fault", "backup-fails=app-*", directory=bare.layout.directory)
    assert "* backup-fails" in lca("fault", directory=bare.layout.directory).stdout
    lca("fault", "--clear", "backup-fails", directory=bare.layout.directory)
    assert "* backup-fails" not in lca("fault", directory=bare.layout.directory).stdout


@pytest.mark.parametrize("words", [("exec", "true"), ("status",), ("logs",), ("fault", "s3-down")])
def test_command_without_a_sandbox_says_how_to_make_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = lca(*words, directory=tmp_path / "none")
    assert (done.returncode, "lca sandbox up --dir" in done.stderr) == (1, True)


@pytest.mark.parametrize("version", ["4.15", "latest", "4.x.1"])
def test_up_refuses_what_is_no_release(tmp_path: Path, version: str) -> None:
    done = lca("up", "--version", version, directory=tmp_path / "none")
    assert (done.returncode, version in done.stderr) == (2, True)
    assert not (tmp_path / "none").exists()


def test_up_names_every_missing_program(tmp_path: Path) -> None:
    for name in ("bash", "true"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = lca("up", directory=tmp_path / "none", path=str(tmp_path))
    assert done.returncode == 1
    assert "missing programs: bwrap, buildah" in done.stderr
    assert "apt-get install bubblewrap buildah" in done.stderr
    assert not (tmp_path / "none").exists()


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert lca("down", "--purge", directory=tmp_path / "none").returncode == 0
