"""The saved custom resource: real files below a scratch root."""

from pathlib import Path
from typing import Any

import pytest

from agent.pivot.saved import Damaged, Disposal, SavedResource, dispose_deleted, drop_nulls, prepare_for_create
from hostops.hostroot import HostRoot

CR = {"metadata": {"name": "upgrade"}, "spec": {"stage": "Prep"}, "status": {"conditions": []}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "var/lib/lca"
    folder.mkdir(parents=True)
    return folder


def make_saved(folder: Path, boot_id: str | None = "boot-1") -> SavedResource:
    return SavedResource(HostRoot(folder.parents[2]), boot_id=boot_id)


def with_conditions(**conditions: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": type_, "status": status} for type_, status in conditions.items()]}}


def test_saved_resource_round_trip_is_private_and_compact(folder: Path) -> None:
    make_saved(folder).save(CR)
    path = folder / "ibu.json"
    assert make_saved(folder).load() == CR
    assert path.stat().st_mode & 0o777 == 0o600
    assert b": " not in path.read_bytes()


def test_saved_resource_none_there_loads_none(folder: Path) -> None:
    assert make_saved(folder).load() is None


def test_saved_for_after_a_reboot_in_the_same_boot_does_not_count(folder: Path) -> None:
    make_saved(folder).save(CR, only_after_reboot=True)
    assert make_saved(folder).load() is None
    assert make_saved(folder).exists()


def test_saved_for_after_a_reboot_in_another_boot_is_loaded_without_the_mark(folder: Path) -> None:
    make_saved(folder).save(CR, only_after_reboot=True)
    assert make_saved(folder, "boot-2").load() == CR


def test_saved_for_after_a_reboot_that_did_not_take_place_does_not_count(folder: Path) -> None:
    make_saved(folder).save(CR, only_after_reboot=True)
    asked = []

    def has_left(saved: dict[str, Any], boot_id: str) -> bool:
        asked.append((saved, boot_id))
        return False

    saved = SavedResource(HostRoot(folder.parents[2]), boot_id="boot-2", has_left=has_left)
    assert saved.load() is None
    assert asked == [(CR, "boot-1")]
    saved.save(CR)
    assert saved.load() == CR


def test_saved_for_after_a_reboot_without_boot_id_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="id of this boot"):
        make_saved(folder, None).save(CR, only_after_reboot=True)


def test_saved_yaml_of_another_writer_is_loaded(folder: Path) -> None:
    (folder / "ibu.json").write_text("spec: {stage: Idle}\nstatus:\n  history: null\n")
    assert make_saved(folder).load() == {"spec": {"stage": "Idle"}, "status": {"history": None}}


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b'{"spec": {"sta', b"[]", b"just text", b'{"metadata": {}}', b"\xff\xfe\x00", b"a: *b"],
    ids=["empty", "zeros", "truncated", "list", "text", "no-spec", "binary", "bad-alias"],
)
def test_saved_damaged_file_is_moved_aside_with_its_content(folder: Path, content: bytes) -> None:
    (folder / "ibu.json").write_bytes(content)
    found = make_saved(folder).load()
    assert isinstance(found, Damaged)
    assert found.moved_to == "/var/lib/lca/ibu.json.bad"
    assert (folder / "ibu.json.bad").read_bytes() == content
    assert make_saved(folder).load() is None


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(with_conditions(Idle="True"), Disposal.FORGET, id="idle"),
        pytest.param(with_conditions(Idle="False", PrepInProgress="True"), Disposal.SAVE, id="prep-runs"),
        pytest.param(with_conditions(Idle="False", PrepCompleted="True"), Disposal.SAVE, id="prep-done"),
        pytest.param(with_conditions(Idle="False"), Disposal.SAVE, id="aborting"),
        pytest.param(with_conditions(Idle="False", RollbackCompleted="False"), Disposal.FORGET, id="rollback-failed"),
        pytest.param(with_conditions(Idle="False", RollbackCompleted="True"), Disposal.SAVE, id="rollback-done"),
        pytest.param({"status": {"conditions": None}}, Disposal.LEAVE, id="no-conditions"),
        pytest.param({}, Disposal.LEAVE, id="no-status"),
    ],
)
def test_dispose_deleted_by_last_state(obj: dict[str, Any], expected: Disposal) -> None:
    assert dispose_deleted(obj) is expected


def test_prepare_for_create_drops_what_the_server_gives_and_keeps_the_users() -> None:
    kept = {"name": "upgrade", "annotations": {"a": "b"}, "labels": {"c": "d"}}
    given = {"resourceVersion": "5", "uid": "u", "generation": 7, "creationTimestamp": "t", "managedFields": []}
    of_one_cluster = {**given, "selfLink": "/x", "ownerReferences": [{"name": "o", "uid": "unknown there"}]}
    saved = {"metadata": {**kept, **of_one_cluster}, "spec": {"stage": "Prep", "oadpContent": None}}
    created = prepare_for_create(saved, api_version="lca.openshift.io/v1", kind="ImageBasedUpgrade")
    assert created["metadata"] == kept
    assert created["spec"] == {"stage": "Prep"}
    assert (created["apiVersion"], created["kind"]) == ("lca.openshift.io/v1", "ImageBasedUpgrade")


def test_drop_nulls_at_any_depth() -> None:
    assert drop_nulls({"a": None, "b": [{"c": None, "d": 0}], "e": {}}) == {"b": [{"d": 0}], "e": {}}
