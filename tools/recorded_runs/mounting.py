"""Command lines of bubblewrap for a scratch host: the operator's container, and the node itself."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from sandbox.controlplane.binaries import find_binaries
from sandbox.node.inside import set_default
from sandbox.node.interpreter import APPLICATION
from tools.operator_process import bind_machine

MOUNT_POINTS = ("app", "etcd", "python", "site")
"""Folders below /run of the node over which the project's code and the interpreter are mounted."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BASE_PYTHON = "/run/python"


@dataclass(frozen=True, slots=True)
class Mounts:
    """What a boot shows: root and /var of the booted deployment, the physical sysroot, /run with the boot's id."""

    root: Path
    var: Path
    sysroot: Path
    run: Path

    def isolate(self) -> list[str]:
        """The start of an argv that runs a program in the operator's container: the node's root is /host."""
        return [
            *("bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1", "--tmpfs", "/"),
            *bind_machine(without=("host", "ostree", "sysroot", "var", "run")),
            *("--dev-bind", "/dev", "/dev", "--proc", "/proc", "--dir", "/var/tmp"),  # noqa: S108
            *self._bind_boot_id(""),
            *self._bind_root("/host"),
            *_set_variables(),
            "--",
        ]

    def enter(self, **environment: str) -> list[str]:
        """The start of an argv that runs this project's code on the node itself: it ends with the interpreter."""
        etcd = find_binaries().etcd
        code = {"/run/app": APPLICATION, "/run/site": Path(sysconfig.get_paths()["purelib"]), "/run/etcd": etcd.parent}
        values = {
            "PATH": "/run/bin:/usr/sbin:/usr/bin",
            "PYTHONPATH": "/run/app:/run/site",
            "RECORDED_ETCD": f"/run/etcd/{etcd.name}",
            **environment,
        }
        return [
            *("bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1", "--clearenv"),
            *self._bind_root("/"),
            *(word for target, source in code.items() for word in ("--ro-bind", str(source), target)),
            *_set_variables(),
            *(word for name, value in values.items() for word in ("--setenv", name, value)),
            *("--chdir", "/", "--", _find_python()),
        ]

    def _bind_root(self, root: str) -> list[str]:
        def at(path: str) -> str:
            return f"{root.rstrip('/')}{path}"

        binds = [
            (self.root, root),
            (self.var, at("/var")),
            (self.sysroot, at("/sysroot")),
            (self.sysroot / "boot", at("/boot")),
            (self.run, at("/run")),
        ]
        words = [word for source, target in binds for word in ("--bind", str(source), target)]
        words += ["--ro-bind", "/usr", at("/usr"), "--ro-bind", "/sys", at("/sys"), "--dev-bind", "/dev", at("/dev")]
        if not _is_below_usr():
            words += ["--ro-bind", sys.base_prefix, at(_BASE_PYTHON)]
        words += ["--proc", at("/proc"), "--tmpfs", at("/tmp")]  # noqa: S108  the node's own
        words += ["--tmpfs", at("/var/lib/containers")]
        return words + self._bind_boot_id(root.rstrip("/"))

    def _bind_boot_id(self, root: str) -> list[str]:
        return ["--ro-bind", str(self.run / "boot_id"), f"{root}{_BOOT_ID}"]


def _set_variables() -> list[str]:
    """What the stand-ins want to know."""
    libraries = [] if _is_below_usr() else ["--setenv", "LD_LIBRARY_PATH", f"{_BASE_PYTHON}/lib"]
    return [
        *("--setenv", "RECORDED_PYTHON", _find_python()),
        *("--setenv", "RECORDED_SET_DEFAULT", f"/run/{Path(set_default.__file__).name}"),
        *libraries,
    ]


def _find_python() -> str:
    """The interpreter as the node sees it."""
    prefix = sys.base_prefix if _is_below_usr() else _BASE_PYTHON
    return f"{prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def _is_below_usr() -> bool:
    return Path(sys.base_prefix).is_relative_to("/usr")
