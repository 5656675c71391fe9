"""Fills the folder of programs that comes first on the node's PATH."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.node.interpreter import interpreter_script

SOURCE = Path(__file__).parent / "programs"
WRAPPER = "host-command"
INTERPRETER = ".python"

STAND_INS = (
    *("rpm-ostree", "systemctl", "systemd-run", "journalctl", "reboot", "poweroff", "shutdown"),
    *("nsenter", "crictl", "lsblk", "chcon", "restorecon", "update-ca-trust", "nmstatectl", "hostnamectl", "pvscan"),
)
"""Programs that are played, wholly or for some of their verbs together with the real one."""

RECORDED = (
    "ostree",
    "podman",
    "skopeo",
    "mount",
    "umount",
    "unshare",
    "tar",
    "rsync",
    "bash",
    "chown",
    "openssl",
)
"""Programs of the machine that run for real behind the wrapper, which records them and obeys the faults."""


def install_programs(folder: Path) -> None:
    """Make `folder` hold every program; what is there already is replaced. Raises OSError."""
    for path in SOURCE.iterdir():
        _replace(folder / path.name, path.read_bytes())
    _link(folder / "lca-cli", "lca-node")
    for name in (*STAND_INS, *RECORDED):
        _link(folder / name, WRAPPER)
    _replace(folder / INTERPRETER, interpreter_script().encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.chmod(0o755)
    temporary.replace(path)


def _link(path: Path, target: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    os.symlink(target, temporary)  # noqa: PTH211
    temporary.replace(path)
