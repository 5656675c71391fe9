"""`lca status` against a real API server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_status(kubeconfig: Path) -> Run:
    def run(*argv: str, config: Path = kubeconfig) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("lca")), "status", *argv]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KUBECONFIG": str(config)})

    return run


@pytest.mark.usefixtures("applied_crds")
def test_status_without_object_says_so(run_status: Run) -> None:
    done = run_status()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Unable to get IBU CR: ")


def test_status_prints_summary_and_timeline(run_status: Run, client: Client, ibu: dict[str, Any]) -> None:
    ibu["spec"] = {"stage": "Prep", "seedImageRef": {"version": "4.16.1", "image": "q.io/seed"}}
    created = client.update(ibu)
    condition = {"type": "PrepInProgress", "status": "True", "reason": "InProgress", "message": "In progress"}
    started = "2026-01-01T00:00:00Z"
    created["status"] = {
        "conditions": [condition | {"lastTransitionTime": started}],
        "history": [{"stage": "Prep", "startTime": started}],
    }
    client.update_status(created)

    assert run_status().stdout.splitlines()[1:] == [
        "Version: 4.16.1",
        "Stage:   Prep",
        "Status:",
        f"  Prep in progress at: {started}",
    ]
    assert "not completed" in run_status("--timeline").stdout
    assert json.loads(run_status("-o", "json").stdout)["spec"] == ibu["spec"]


def test_status_unreadable_kubeconfig_is_one_clear_line(run_status: Run, tmp_path: Path) -> None:
    done = run_status(config=tmp_path / "none")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(tmp_path / "none") in done.stderr


def test_status_watch_shows_every_change_until_the_stage_has_ended(
    client: Client, ibu: dict[str, Any], kubeconfig: Path
) -> None:
    ibu["spec"] = {"stage": "Prep"}
    created = client.update(ibu)
    command = [str(Path(sys.executable).with_name("lca")), "status", "--watch", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        assert watching.stdout.readline().split("  ", 1)[1] == "Prep: not looked at yet\n"
        for type_, status, reason, message in (
            ("PrepInProgress", "True", "InProgress", "checking"),
            ("PrepCompleted", "False", "Failed", "Prep failed"),
        ):
            condition = {"type": type_, "status": status, "reason": reason, "message": message}
            conditions = [condition | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]
            observed = {"conditions": conditions, "observedGeneration": created["metadata"]["generation"]}
            created = client.update_status({**created, "status": observed})
            assert watching.stdout.readline().endswith(f"{reason}: {message}\n")
        assert watching.wait(timeout=60) == 1


def test_status_watch_without_a_server_says_so_and_goes_on(kubeconfig: Path, tmp_path: Path) -> None:
    unreachable = tmp_path / "kubeconfig"
    with Client.connect(kubeconfig) as client:
        server = client.access.server
    unreachable.write_text(kubeconfig.read_text().replace(server, "https://127.0.0.1:1"))
    command = [str(Path(sys.executable).with_name("lca")), "status", "--watch", "--kubeconfig", str(unreachable)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        assert "the API server does not answer" in watching.stdout.readline()
        assert watching.poll() is None
        watching.terminate()
