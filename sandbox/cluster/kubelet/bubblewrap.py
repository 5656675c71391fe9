"""The bubblewrap command line of one container (pure).

A container sees: an empty, writable root; the machine's programs in `/usr`; the node's names and trusted certificates
in `/etc`; its volumes; the folders that the sandbox's programs need. It has process ids, IPC and a host name of its
own, and the network of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_NODE_ETC = (
    "ca-certificates", "containers", "group", "hosts", "ld.so.cache", "localtime", "nsswitch.conf", "passwd", "pki",
    "resolv.conf", "ssl",
)  # fmt: skip


@dataclass(frozen=True)
class Mount:
    """One volume in a container: `source` of the node at `target`."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerPlan:
    """Everything that is decided before a container starts."""

    command: Sequence[str]
    environment: Mapping[str, str]
    hostname: str
    mounts: Sequence[Mount] = ()
    read_only_folders: Sequence[Path] = ()
    """Seen under their own path: the sandbox's programs and what these import."""
    termination_log: Path | None = None
    termination_path: str = "/dev/termination-log"
    working_directory: str = "/"
    node_root: Path = field(default=Path("/"))
    host_pid: bool = False
    user: int | None = None
    group: int | None = None


def bubblewrap_argv(plan: ContainerPlan, info_fd: int) -> list[str]:
    """Command line of the container; bubblewrap writes its child's process id as JSON to `info_fd`."""
    argv = ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session"]
    argv += ["--hostname", plan.hostname[:63], "--info-fd", str(info_fd), "--clearenv"]
    for name, value in plan.environment.items():
        argv += ["--setenv", name, value]
    argv += ["--tmpfs", "/", "--ro-bind", "/usr", "/usr"]
    for name in _LINKS:
        path = Path("/", name)
        if path.is_symlink():
            argv += ["--symlink", f"usr/{name}", f"/{name}"]
        elif path.is_dir():
            argv += ["--ro-bind", f"/{name}", f"/{name}"]
    # hostPID: the processes of the node are seen; signals and process ids of the container stay its own
    argv += ["--bind", "/proc", "/proc"] if plan.host_pid else ["--proc", "/proc"]
    argv += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the container's own
    argv += ["--dir", "/run", "--dir", "/var/tmp", "--symlink", "../run", "/var/run", "--dir", "/root"]  # noqa: S108
    for parent in _parents(["/etc/x", *map(str, plan.read_only_folders), *(mount.target for mount in plan.mounts)]):
        argv += ["--dir", parent]  # bubblewrap would make them for root alone
    for name in _NODE_ETC:
        if (source := _first_existing(plan.node_root / "etc" / name, Path("/etc", name))) is not None:
            argv += ["--ro-bind", str(source), f"/etc/{name}"]
    for folder in plan.read_only_folders:
        argv += ["--ro-bind", str(folder), str(folder)]
    for mount in sorted(plan.mounts, key=lambda mount: mount.target.rstrip("/").count("/")):
        argv += ["--ro-bind" if mount.read_only else "--dev-bind", str(mount.source), mount.target]
    if plan.termination_log:
        argv += ["--bind", str(plan.termination_log), plan.termination_path]
    argv += ["--chdir", plan.working_directory, "--"]
    return [*argv, *_change_user(plan), *plan.command]


def _parents(targets: Sequence[str]) -> list[str]:
    """Folders on the way to the targets, outermost first, except those that lie in another target."""
    folders = {str(parent) for target in targets for parent in PurePosixPath(target).parents}
    inside = tuple(target.rstrip("/") + "/" for target in targets)
    return sorted(folder for folder in folders if folder != "/" and not f"{folder}/".startswith(inside))


def _first_existing(*paths: Path) -> Path | None:
    return next((path for path in paths if path.exists()), None)


def _change_user(plan: ContainerPlan) -> list[str]:
    if not plan.user and not plan.group:
        return []
    return ["/usr/bin/setpriv", f"--reuid={plan.user or 0}", f"--regid={plan.group or 0}", "--clear-groups", "--"]
