"""One resource after the other: what becomes of the state of the one that is gone. Real files below a scratch root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.ibu.succession import Succession
from agent.pivot.saved import SavedResource
from hostops.hostroot import HostRoot

Object = dict[str, Any]


def make(uid: str, *, idle: bool = False, note: str = "") -> Object:
    conditions = [{"type": "Idle", "status": str(idle), "message": note}]
    return {"metadata": {"name": "upgrade", "uid": uid}, "spec": {}, "status": {"conditions": conditions}}


@pytest.fixture
def saved(tmp_path: Path) -> SavedResource:
    (tmp_path / "var/lib/lca").mkdir(parents=True)
    return SavedResource(HostRoot(tmp_path))


def test_same_resource_leaves_the_file_alone(saved: SavedResource) -> None:
    succession = Succession(saved)
    succession.note_seen(make("a"))
    succession.settle(make("a"))
    assert not saved.exists()


def test_deleted_resource_is_saved_in_its_last_state(saved: SavedResource) -> None:
    succession = Succession(saved)
    succession.note_seen(make("a"))
    succession.note_deleted(make("a", note="newer"))
    succession.settle(None)
    assert saved.load() == make("a", note="newer")


def test_replaced_resource_is_saved_although_its_deletion_was_not_seen(saved: SavedResource) -> None:
    succession = Succession(saved)
    succession.note_seen(make("a"))
    succession.settle(make("b"))
    assert saved.load() == make("a")


def test_late_news_of_a_deletion_are_no_news(saved: SavedResource) -> None:
    succession = Succession(saved)
    succession.note_seen(make("a"))
    succession.settle(make("b"))
    saved.remove()
    succession.note_seen(make("b"))
    succession.note_deleted(make("a"))
    succession.settle(make("b"))
    assert not saved.exists()


def test_deletion_before_the_first_pass_counts(saved: SavedResource) -> None:
    succession = Succession(saved)
    succession.note_deleted(make("a"))
    succession.settle(None)
    assert saved.load() == make("a")


def test_idle_resource_is_forgotten(saved: SavedResource) -> None:
    saved.save(make("x"))
    succession = Succession(saved)
    succession.note_seen(make("a", idle=True))
    succession.settle(None)
    assert not saved.exists()


def test_resource_deleted_twice_is_settled_each_time(saved: SavedResource) -> None:
    succession = Succession(saved)
    for uid in ("a", "b"):
        succession.note_seen(make(uid))
        succession.note_deleted(make(uid))
        succession.settle(None)
        assert saved.load() == make(uid)
