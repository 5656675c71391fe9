"""The physical sysroot: made by ostree, booted by reading the boot loader's entries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hostops.runner import Runner
from sandbox.node.failure import SandboxError

INSTALLED_STATEROOT = "rhcos"
"""Stateroot that the installer makes; every other one comes from an upgrade."""

ROOT_ARGUMENT = "root=UUID=5a6db0c5-0000-4000-8000-000000000004"


class NoDeploymentError(SandboxError):
    """No loader entry leads to a deployment whose root is there."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that the boot loader offers: `root` is its folder, `kernel_arguments` the kernel's command line."""

    stateroot: str
    name: str
    root: Path
    kernel_arguments: str

    @property
    def var(self) -> Path:
        """`/var` of its stateroot."""
        return self.root.parents[1] / "var"

    @property
    def release(self) -> str:
        """OpenShift version whose operating system this is; "" if it is not one of a sandbox."""
        text = (self.root / "usr/lib/os-release").read_text()
        found = re.search(r'^SANDBOX_RELEASE="(.*)"$', text, re.MULTILINE)
        return found[1] if found else ""


def initialise_sysroot(runner: Runner, sysroot: Path) -> None:
    """Make an empty sysroot in the empty folder `sysroot`. Raises CommandError."""
    runner.run("ostree", "admin", "init-fs", "--modern", str(sysroot))
    runner.run("ostree", f"--repo={sysroot}/ostree/repo", "config", "set", "sysroot.bootloader", "none")


def deploy_stateroot(runner: Runner, sysroot: Path, stateroot: str, reference: str, *arguments: str) -> None:
    """Make `stateroot` and deploy `reference` in it with the kernel `arguments`. Raises CommandError."""
    runner.run("ostree", "admin", f"--sysroot={sysroot}", "os-init", stateroot)
    kernel = [f"--karg={word}" for word in (ROOT_ARGUMENT, *arguments)]
    runner.run("ostree", "admin", f"--sysroot={sysroot}", "deploy", f"--os={stateroot}", *kernel, reference)


def list_bootable(sysroot: Path) -> list[Deployment]:
    """The boot loader's view: deployments by the `version` of their entries, the default first.

    Entries that lead nowhere are left out, as a boot loader falls back to the next one.
    """
    found = []
    for entry in (sysroot / "boot/loader/entries").glob("*.conf"):
        keys = dict(line.split(" ", 1) for line in entry.read_text().splitlines() if " " in line)
        link = re.search(r"\bostree=/(\S+)", keys.get("options", ""))
        root = (sysroot / link[1]).resolve() if link else sysroot
        if (root / "usr").is_dir() and root.parent.name == "deploy":
            deployment = Deployment(root.parents[1].name, root.name, root, keys["options"])
            found.append((int(keys.get("version", "0")), deployment))
    return [deployment for _, deployment in sorted(found, key=lambda pair: -pair[0])]


def choose_deployment(sysroot: Path, stateroot: str | None = None, *, name: str | None = None) -> Deployment:
    """What boots next: the default, or the first deployment of `stateroot` or `name`. Raises NoDeploymentError."""
    for deployment in list_bootable(sysroot):
        if stateroot in (None, deployment.stateroot) and name in (None, deployment.name):
            return deployment
    wanted = f"of stateroot {stateroot} " if stateroot else f"called {name} " if name else ""
    raise NoDeploymentError(f"no loader entry {wanted}below {sysroot}/boot leads to a deployment")
