"""Files of the node that tell who it is, on a scratch root (upgrade-and-oadp.md 9.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.ibu.prepivot.host_identity import read_host_identity
from hostops.hostroot import HostRoot

USER_KEY = "home/core/.ssh/authorized_keys.d/ignition"


@pytest.fixture
def root(tmp_path: Path) -> HostRoot:
    """A node with everything; `/home` is a link, as on a booted one."""
    (tmp_path / "var/home").mkdir(parents=True)
    (tmp_path / "home").symlink_to("/var/home")
    for name, text in {
        f"var/{USER_KEY}": "ssh-rsa core\n",
        "etc/ssh/ssh_host_rsa_key": "PRIVATE",
        "etc/ssh/ssh_host_ed25519_key.pub": "PUBLIC",
        "etc/ssh/sshd_config": "x",
        "etc/chrony.conf": "server t\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return HostRoot(tmp_path)


def test_host_identity_is_read_below_the_root(root: HostRoot) -> None:
    problems: list[str] = []
    identity = read_host_identity(root, problems)
    assert problems == []
    assert (identity.ssh_key, identity.chrony_config) == ("ssh-rsa core\n", "server t\n")
    assert [(key.file_name, key.content) for key in identity.server_ssh_keys] == [
        ("ssh_host_ed25519_key.pub", "PUBLIC"),
        ("ssh_host_rsa_key", "PRIVATE"),
    ]
    assert "PRIVATE" not in repr(identity)


def test_missing_files_are_problems_only_where_they_must_be_there(root: HostRoot) -> None:
    root.path("/var/" + USER_KEY).unlink()
    root.path("/etc/chrony.conf").unlink()
    for name in ("rsa_key", "ed25519_key.pub"):
        root.path(f"/etc/ssh/ssh_host_{name}").unlink()
    problems: list[str] = []
    identity = read_host_identity(root, problems)
    assert problems == [f"failed to get ssh key: failed to read sshKey: open /{USER_KEY}: no such file or directory"]
    assert (identity.server_ssh_keys, identity.chrony_config) == ((), "")


def test_file_that_is_no_text_is_a_problem(root: HostRoot) -> None:
    root.path("/etc/ssh/ssh_host_rsa_key").write_bytes(b"\xff")
    problems: list[str] = []
    read_host_identity(root, problems)
    assert problems == ["failed to get server ssh keys: open /etc/ssh/ssh_host_rsa_key: not utf-8 text"]
