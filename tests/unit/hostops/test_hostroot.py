from pathlib import Path

import pytest

from hostops.hostroot import HostRoot


def test_path_below_a_mount_is_prefixed(tmp_path):
    root = HostRoot(tmp_path)
    assert root.path("/var/lib/lca") == tmp_path / "var/lib/lca"
    assert root.host_path(tmp_path / "var/lib/lca") == "/var/lib/lca"
    assert root.host_path(tmp_path) == "/"


def test_path_on_the_host_is_unchanged():
    assert HostRoot(Path("/")).path("/var/lib") == Path("/var/lib")


@pytest.mark.parametrize("bad", ["var/lib", "", "/var/../etc/shadow"])
def test_path_that_is_no_plain_host_path_is_refused(bad):
    with pytest.raises(ValueError, match="not an absolute host path"):
        HostRoot(Path("/host")).path(bad)


def test_detect_without_the_mount_is_the_host(tmp_path):
    assert HostRoot.detect(tmp_path / "absent") == HostRoot(Path("/"))
    assert HostRoot.detect(tmp_path) == HostRoot(tmp_path)


def test_resolve_follows_absolute_links_inside_the_root(tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "current.pem").symlink_to("/pki/2024.pem")
    (tmp_path / "pki" / "2024.pem").write_text("certificate")
    assert HostRoot(tmp_path).resolve("/pki/current.pem").read_text() == "certificate"


def test_resolve_does_not_climb_out_of_the_root(tmp_path):
    (tmp_path / "link").symlink_to("../../../../etc")
    assert HostRoot(tmp_path).resolve("/link/passwd") == tmp_path / "etc/passwd"


def test_resolve_of_a_loop_is_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        HostRoot(tmp_path).resolve("/a")
