"""The committed runs: readable, and in the form in which they are written."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.recorded_runs.actions import UnknownActionError, apply_changes, find_action
from tools.recorded_runs.compact import read_runs, write_runs
from tools.recorded_runs.scenario import Action

FILES = sorted((Path(__file__).parents[2] / "api/operator/recorded/runs").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_committed_runs_are_as_they_would_be_written(path: Path, tmp_path: Path) -> None:
    runs = read_runs(path)
    write_runs(tmp_path / "again.yaml", runs)
    assert (tmp_path / "again.yaml").read_text() == path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_committed_runs_hold_only_known_actions(path: Path) -> None:
    for run in read_runs(path):
        assert all(find_action(step.do) for step in run.steps if isinstance(step, Action)), run.id


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UnknownActionError, match="turn the node upside down"):
        find_action("turn the node upside down")
    with pytest.raises(UnknownActionError, match="colour"):
        apply_changes(SimpleNamespace(), [{"colour": "blue"}])  # type: ignore[arg-type]
