from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.outside import Child, ServiceError


def make_child(tmp_path: Path, port: int, script: str) -> Child:
    argv = ("sh", "-c", script)
    return Child("the thing", argv, address=("127.0.0.1", port), ready_text="ready", log_file=tmp_path / "log")


def test_child_that_ends_before_it_is_ready_tells_its_last_words(tmp_path: Path, free_port: int) -> None:
    child = make_child(tmp_path, free_port, "echo no luck; exit 3")
    with pytest.raises(ServiceError, match=r"^the thing ended at once \(log: .*/log\): no luck$"):
        child.start()
    assert child.pid is None
    assert (tmp_path / "log").read_text() == "no luck\n"


def test_child_that_is_never_ready_is_stopped(tmp_path: Path, free_port: int) -> None:
    child = make_child(tmp_path, free_port, "echo thinking; exec sleep 600")
    with pytest.raises(ServiceError, match=r"the thing was not ready after 0.5 s"):
        child.start(timeout_seconds=0.5)
    assert child.pid is None


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path, free_port: int) -> None:
    child = make_child(tmp_path, free_port, "trap '' TERM; echo ready; while :; do sleep 1; done")
    child.start()
    child.stop(timeout_seconds=0.2)
    assert child.pid is None
