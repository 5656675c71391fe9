"""A node with two releases: a real ostree sysroot with a deployment of each, one of them booted by bubblewrap.

Real: ostree, its boot order and its mark of the booted deployment, `/var` and `/etc` of each release, certificates.
Played by `standin`: rpm-ostree, systemctl, systemd-run, and `mount` without touching the machine's file systems. A boot
has an id of its own; the reboot itself, which systemd-run only records, is up to the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sandbox.node.inside.set_default as set_default
from tests.host.scratchnode import call, commit_tree

OLD, NEW = "rhcos", "rhcos_4.16.1"
NAMES = ("chattr", "mount", "ostree", "rpm-ostree", "systemctl", "systemd-run")
WATCHDOG = "lca-init-monitor.service"
_REPOSITORY = Path(__file__).parents[4]
_PKI = "var/lib/kubelet/pki"


class PivotNode:
    """The node; `booted` is the stateroot that runs. It is a host for `OperatorProcess`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sysroot = folder / "sysroot"
        self.control = folder / "run/node"
        self.programs = Path("/run/node/bin")
        self.booted = OLD

    def create(self, admin_kubeconfig: Path, not_after: datetime) -> None:
        """Install both releases; the new one is the default, and its kubelet's certificates end at `not_after`."""
        for name in ("bin", "faults", "units"):
            (self.control / name).mkdir(parents=True)
        for name in NAMES:
            shutil.copy(Path(__file__).with_name("standin"), self.control / "bin" / name)
        (self.control.parent / "ostree-booted").touch()
        repo, sysroot = self.sysroot / "ostree/repo", f"--sysroot={self.sysroot}"
        self.sysroot.mkdir()
        call("ostree", "admin", "init-fs", "--modern", str(self.sysroot))
        call("ostree", f"--repo={repo}", "config", "set", "sysroot.bootloader", "none")
        for stateroot, version in ((OLD, "4.15.0"), (NEW, "4.16.1")):
            commit = commit_tree(self.folder / version, repo, version)
            call("ostree", "admin", sysroot, "os-init", stateroot)
            call("ostree", "admin", sysroot, "deploy", f"--os={stateroot}", "--no-prune", commit)
            # The machine's Python is mounted where it lies on the machine: its folders have to be made below `/`.
            call("chattr", "-i", str(self.deployment(stateroot)))
            for name in ("lib/lca", "opt", "tmp", "roothome"):
                (self.var(stateroot) / name).mkdir(parents=True, exist_ok=True)
            pod_resources = self.etc(stateroot) / "kubernetes/static-pod-resources/kube-apiserver-certs/secrets"
            (pod_resources / "node-kubeconfigs").mkdir(parents=True)
            shutil.copy(admin_kubeconfig, pod_resources / "node-kubeconfigs/lb-ext.kubeconfig")
            (self.etc(stateroot) / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
            self.make_certificates(stateroot, not_after)
        (self.etc(NEW) / "systemd/system").mkdir(parents=True)
        (self.etc(NEW) / "systemd/system" / WATCHDOG).touch()
        (self.control / "units" / WATCHDOG).write_text("is-active\nis-enabled\n")

    def make_certificates(self, stateroot: str, not_after: datetime) -> None:
        """Give the kubelet of a release certificates, as links to files that only this release sees there."""
        folder = self.var(stateroot).parent / _PKI
        folder.mkdir(parents=True, exist_ok=True)
        for name, end in (("client", not_after + timedelta(days=80)), ("server", not_after)):
            target = folder / f"kubelet-{name}-2026-01-01-00-00-00.pem"
            target.write_bytes(make_pem(end))
            link = folder / f"kubelet-{name}-current.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"/{_PKI}/{target.name}")

    def mark_change(self) -> None:
        """Let the deployments look changed, as after a command of ostree: the operator asks for them again."""
        os.utime(self.sysroot / "ostree/deploy")

    def boot(self, stateroot: str | None = None) -> str:
        """Boot the default release, or the one that somebody chooses at the boot menu; return its name."""
        self.booted = stateroot or self.deployments()[0]
        (self.control / "boot_id").write_text(f"{uuid.uuid4()}\n")
        return self.booted

    def isolate(self) -> list[str]:
        """Return the start of an argv that runs a program on the node as booted."""
        words = ["bwrap", "--die-with-parent", "--bind", str(self.deployment(self.booted)), "/"]
        words += [word for pair in self._mounts() for word in ("--bind", str(pair[0]), pair[1])]
        words += ["--ro-bind", "/usr", "/usr", "--ro-bind", "/sys", "/sys", "--dev", "/dev", "--tmpfs", "/tmp"]
        for folder in sorted({Path(sys.prefix), Path(sys.base_prefix), _REPOSITORY}):
            words += ["--ro-bind", str(folder), str(folder)]
        boot_id = str(self.control / "boot_id")
        words += ["--unshare-pid", "--proc", "/proc", "--ro-bind", boot_id, "/proc/sys/kernel/random/boot_id"]
        words += ["--setenv", "NODE_PYTHON", sys.executable, "--setenv", "NODE_SET_DEFAULT", set_default.__file__]
        return [*words, "--chdir", "/", "--"]

    def _mounts(self) -> Iterable[tuple[Path, str]]:
        yield self.sysroot, "/sysroot"
        yield self.sysroot / "boot", "/boot"
        yield self.var(self.booted), "/var"
        yield self.control.parent, "/run"

    def run(self, *argv: str) -> str:
        """Run a command on the node as booted; return its output."""
        environment = {"PATH": f"{self.programs}:/usr/sbin:/usr/bin"}
        done = subprocess.run([*self.isolate(), *argv], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def deployments(self) -> list[str]:
        """Return the stateroots in boot order."""
        status = call("ostree", "admin", f"--sysroot={self.sysroot}", "status")
        return [line.split()[0] for line in status.splitlines() if line.split()[1:2] and "." in line.split()[1]]

    def set_default(self, stateroot: str) -> None:
        """Change the boot order, as an administrator does."""
        self.run("ostree", "admin", "set-default", str(self.deployments().index(stateroot)))

    def deployment(self, stateroot: str) -> Path:
        """Return the folder of the only deployment of a stateroot."""
        (found,) = [path for path in (self.sysroot / "ostree/deploy" / stateroot / "deploy").iterdir() if path.is_dir()]
        return found

    def var(self, stateroot: str) -> Path:
        return self.sysroot / "ostree/deploy" / stateroot / "var"

    def etc(self, stateroot: str) -> Path:
        return self.deployment(stateroot) / "etc"

    def write(self, stateroot: str, path: str, content: str | dict[str, Any]) -> Path:
        """Write a file below `/var` of a release."""
        file = self.var(stateroot) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    def break_program(self, name: str, script: str) -> None:
        """Let a script (bash) run before a stand-in answers."""
        (self.control / "faults" / name).write_text(script)

    def mend_programs(self) -> None:
        for fault in (self.control / "faults").iterdir():
            fault.unlink()

    def commands(self) -> list[list[str]]:
        """Return what the stand-ins were called with."""
        lines = (self.control / "commands").read_text().split("\0\n")
        return [line.split("\0") for line in lines if line]

    def count_reboots(self) -> int:
        """Return how often a reboot was asked for."""
        return sum(words[0] == "systemd-run" for words in self.commands())

    def destroy(self) -> None:
        """Make the folder removable."""
        subprocess.run(["chattr", "-R", "-i", str(self.sysroot / "ostree/deploy")], stderr=subprocess.DEVNULL)


def make_pem(not_after: datetime) -> bytes:
    """Return a certificate and its key, as the kubelet stores them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "system:node:sno1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, not_after - timedelta(days=365), not_after)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return certificate + private
