"""Copies of folders on a real file system."""

import os

from hostops.trees import copy_tree


def test_copy_keeps_modes_links_and_content(tmp_path):
    source, target = tmp_path / "source", tmp_path / "a/target"
    (source / "sub").mkdir(parents=True)
    source.chmod(0o755)
    (source / "sub").chmod(0o700)
    (source / "sub/secret.nmconnection").write_text("id=br-ex\n")
    (source / "sub/secret.nmconnection").chmod(0o600)
    (source / "link").symlink_to("/nowhere/at/all")
    copy_tree(source, target)
    assert target.stat().st_mode & 0o777 == 0o755
    assert (target / "sub").stat().st_mode & 0o777 == 0o700
    assert (target / "sub/secret.nmconnection").stat().st_mode & 0o777 == 0o600
    assert (target / "sub/secret.nmconnection").read_text() == "id=br-ex\n"
    assert str((target / "link").readlink()) == "/nowhere/at/all"


def test_copy_over_an_older_copy_replaces_files_and_keeps_the_rest(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    (source / "both").write_text("new")
    (source / "link").symlink_to("new")
    (target / "both").write_text("old and longer")
    (target / "link").symlink_to("old")
    (target / "only").write_text("stays")
    copy_tree(source, target)
    assert {path.name: path.is_symlink() or path.read_text() for path in target.iterdir()} == {
        "both": "new",
        "link": True,
        "only": "stays",
    }
    assert str((target / "link").readlink()) == "new"


def test_copy_leaves_special_files_out(tmp_path, caplog):
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    copy_tree(source, tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []
    assert "pipe" in caplog.text
