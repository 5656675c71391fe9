"""The hand-over folders: names, groups, fresh trees (upgrade-and-oadp.md 3.0, 8.3). Real files below a scratch root."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seeds.handover import (
    EXTRA_MANIFESTS,
    fit_file_name,
    list_groups,
    place_in_stateroot,
    remove_tree,
    replace_tree,
    write_groups,
)


def make_objects(count: int) -> list[dict[str, Any]]:
    return [{"kind": "ConfigMap", "metadata": {"name": f"c{number}"}} for number in range(count)]


def get_name(obj: dict[str, Any]) -> str:
    return str(obj["metadata"]["name"])


def read_names(directory: Path) -> list[list[str]]:
    return [[json.loads(file.read_text())["metadata"]["name"] for file in group] for group in list_groups(directory)]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (EXTRA_MANIFESTS, "/ostree/deploy/rhcos_4.16.0/var/opt/extra-manifests"),
        ("/var/lib/lca", "/ostree/deploy/rhcos_4.16.0/var/lib/lca"),
    ],
)
def test_place_in_stateroot_follows_the_links_of_a_booted_system(path: str, place: str) -> None:
    assert place_in_stateroot("rhcos_4.16.0", path) == place


@pytest.mark.parametrize("path", ["/etc/hosts", "/optical", "/usr/opt/x"])
def test_place_in_stateroot_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not below /opt or /var"):
        place_in_stateroot("rhcos", path)


def test_replace_tree_leaves_nothing_of_an_earlier_attempt(tmp_path: Path) -> None:
    target = tmp_path / "opt/tree"
    replace_tree(target, lambda fresh: (fresh / "old").touch())
    killed = target.with_name(".tree.new")
    killed.mkdir()
    (killed / "half").touch()
    replace_tree(target, lambda fresh: (fresh / "new").touch())
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["tree"]
    assert target.stat().st_mode & 0o777 == 0o700


def test_replace_tree_that_fails_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "tree"
    replace_tree(target, lambda fresh: (fresh / "old").touch())

    def fail(_: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_tree(target, fail)
    assert (target / "old").exists()


def test_remove_tree_that_is_absent_is_fine(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")


def test_write_groups_names_modes_and_content(tmp_path: Path) -> None:
    directory = tmp_path / "veleroRestore"
    write_groups(directory, "restore", [make_objects(2), make_objects(1)], get_name)
    files = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    assert sorted(files) == ["restore1/1_c0.yaml", "restore1/2_c1.yaml", "restore2/1_c0.yaml"]
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in directory.rglob("*") if path.is_dir()} == {0o700}
    assert files["restore1/1_c0.yaml"].read_text() == '{"kind":"ConfigMap","metadata":{"name":"c0"}}'


def test_write_groups_many_objects_sort_alike_by_text_and_by_number(tmp_path: Path) -> None:
    directory = tmp_path / "groups"
    write_groups(directory, "group", [make_objects(12), *([make_objects(1)] * 10)], get_name)
    assert read_names(directory)[0] == [f"c{number}" for number in range(12)]
    names = [[file.name for file in group] for group in list_groups(directory)]
    assert names[0] == sorted(names[0])
    assert sorted(path.name for path in directory.iterdir()) == [f"group{number:02}" for number in range(1, 12)]


def test_list_groups_reads_numbers_that_another_writer_has_not_padded(tmp_path: Path) -> None:
    for group in ("group10", "group2"):
        for file in ("10_b.yaml", "2_a.yaml"):
            path = tmp_path / group / file
            path.parent.mkdir(exist_ok=True)
            path.touch()
    (tmp_path / "readme").touch()
    (tmp_path / "group2/folder").mkdir()
    found = [f"{file.parent.name}/{file.name}" for group in list_groups(tmp_path) for file in group]
    assert found == ["group2/2_a.yaml", "group2/10_b.yaml", "group10/2_a.yaml", "group10/10_b.yaml"]


def test_list_groups_of_an_absent_folder_is_empty(tmp_path: Path) -> None:
    assert list_groups(tmp_path / "nothing") == []


def test_file_name_with_a_slash_stays_in_its_folder() -> None:
    assert fit_file_name("1_A_../x_.yaml") == "1_A_.._x_.yaml"


def test_file_name_that_is_too_long_is_cut_and_stays_unique() -> None:
    first, second = (fit_file_name(f"01_Kind_{'ä' * 300}{end}.yaml") for end in "ab")
    assert first != second
    assert first.startswith("01_Kind_")
    assert first.endswith(".yaml")
    assert len(first.encode()) <= 240
