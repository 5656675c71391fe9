import os
import subprocess

import pytest

from hostops.archive import LabelledTar
from hostops.runner import CommandError


@pytest.fixture
def tar(node):
    (node.run / "work").mkdir()
    tar = LabelledTar(node.runner, node.root, "/run/work")
    tar.prepare()
    return tar


def test_extract_keeps_modes_owners_and_attributes(node, tar):
    source = node.run / "source"
    (source / "etc").mkdir(parents=True)
    (source / "etc/private").write_text("x")
    os.chown(source / "etc/private", 12, 34)
    (source / "etc/private").chmod(0o4640)
    os.setxattr(source / "etc/private", "user.note", b"kept")
    subprocess.run(["tar", "czf", node.run / "a.tgz", "--xattrs", "-C", source, "etc"], check=True)
    tar.extract("/run/a.tgz", "/run/work")
    unpacked = node.run / "work/etc/private"
    found = unpacked.stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o4640, 12, 34)
    assert os.getxattr(unpacked, "user.note") == b"kept"


def test_prepare_labels_the_copy_and_can_be_repeated(node, tar):
    tar.prepare()
    assert node.commands() == [["chcon", "-t", "install_exec_t", "/run/work/tar"]] * 2


def test_extract_of_a_damaged_archive_raises(node, tar):
    (node.run / "bad.tgz").write_bytes(b"no archive")
    with pytest.raises(CommandError, match="not in gzip format"):
        tar.extract("/run/bad.tgz", "/run/work")
