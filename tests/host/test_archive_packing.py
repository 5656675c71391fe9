"""Packing with the real tar."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from hostops.archive import Packing, pack
from hostops.runner import CommandError, HostRunner


@pytest.fixture
def tree(tmp_path):
    for name in ("keep/a", "drop/b", "drop/wanted", "with blank/ü\nline"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    return tmp_path / "tree"


def pack_tree(packing, **options):
    sink = io.BytesIO()
    result = pack(HostRunner(), packing, sink, **options)
    sink.seek(0)
    with tarfile.open(fileobj=sink, mode="r:gz") as archive:
        return archive.getnames(), result, sink.getvalue()


def test_kept_files_survive_an_exclude(tree):
    names, _, _ = pack_tree(Packing(str(tree), ["."], ["./drop/*"], kept=["drop/wanted"]))
    assert "drop/wanted" in names
    assert "./drop/b" not in names
    assert "./keep/a" in names


def test_members_are_names_not_patterns_and_may_hold_anything(tree):
    names, _, _ = pack_tree(Packing(str(tree), ["with blank/ü\nline", "keep"], whole_trees=False))
    assert names == ["with blank/ü\nline", "keep"]


def test_archive_is_gzip_for_everybody(tree):
    _, _, content = pack_tree(Packing(str(tree), ["keep"]))
    listed = subprocess.run(["tar", "tzf", "-"], input=content, capture_output=True, check=True).stdout
    assert listed.split() == [b"keep/", b"keep/a"]


def test_progress_is_told_in_plain_bytes(tree):
    (tree / "large").write_bytes(b"x" * 3_000_000)
    told = []
    pack_tree(Packing(str(tree), ["large"]), on_progress=told.append)
    assert told == sorted(told)
    assert 3_000_000 < told[-1] < 3_020_000


def test_missing_member_is_tar_s_error(tree):
    with pytest.raises(CommandError, match="no-such-file: Cannot stat"):
        pack_tree(Packing(str(tree), ["no-such-file"]))


def test_full_disk_is_an_error_and_ends_tar(tree):
    (tree / "large").write_bytes(b"x" * 5_000_000)
    with Path("/dev/full").open("wb", buffering=0) as sink, pytest.raises(OSError, match="No space left"):
        pack(HostRunner(), Packing(str(tree), ["large"]), sink)


def test_what_the_progress_raises_ends_it(tree):
    def stop(total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(HostRunner(), Packing(str(tree), ["keep"]), io.BytesIO(), on_progress=stop)
