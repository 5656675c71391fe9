"""What a sandbox needs of the machine, checked before anything is made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.controlplane import ControlPlaneError, find_binaries
from sandbox.node.failure import SandboxError

# program -> Debian package
PROGRAMS = {
    "bash": "bash",
    "bwrap": "bubblewrap",
    "buildah": "buildah",
    "chattr": "e2fsprogs",
    "docker-registry": "docker-registry",
    "jq": "jq",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "ostree": "ostree",
    "podman": "podman",
    "setpriv": "util-linux",
    "skopeo": "skopeo",
}


class RequirementsError(SandboxError):
    """The machine lacks something; the text lists everything that is missing and what to do."""


def check_requirements(directory: Path) -> None:
    """Raise RequirementsError with all reasons why no sandbox can run here in `directory`."""
    problems = []
    if sys.platform != "linux":
        raise RequirementsError("a sandbox needs Linux; run it in a Linux container or virtual machine")
    if os.geteuid() != 0:
        problems.append("you are not root: ostree deployments and mounts need it; run as root, a container is enough")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        problems.append(f"missing programs: {', '.join(missing)}; apt-get install {packages}")
    if "bwrap" not in missing and os.geteuid() == 0:
        problems += _try_namespaces()
    problems += _try_folder(directory)
    try:
        find_binaries()
    except ControlPlaneError as error:
        problems.append(str(error))
    if problems:
        raise RequirementsError("no sandbox can run here:" + "".join(f"\n  - {problem}" for problem in problems))


def _try_namespaces() -> list[str]:
    probe = ["bwrap", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--bind", "/", "/", "--proc", "/proc", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    advice = "in a container start it with --privileged (CAP_SYS_ADMIN, no seccomp filter on mount and unshare)"
    return [f"namespaces and mounts are not allowed: {reason[0]}; {advice}"]


def _try_folder(directory: Path) -> list[str]:
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        return [f"{existing} is not a folder"]
    problems = []
    if not os.access(existing, os.W_OK):
        problems.append(f"{existing} is not writable")
    free = shutil.disk_usage(existing).free
    if free < 2 * 1024**3:
        problems.append(f"{existing} has {free // 1024**2} MiB free, a sandbox needs 2048 MiB")
    return problems
