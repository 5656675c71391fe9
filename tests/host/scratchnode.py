"""A booted node in a scratch folder: a real ostree sysroot with one deployment, started with bubblewrap.

Its init is a process that sleeps; `runner` enters that process's namespaces, as production does with the host's init,
so mounts stay between commands. `root` shows the same file systems to the test, through /proc. ostree itself finds out
which deployment is booted, from `/run/ostree-booted` and the inode of `/`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import Scope
from sandbox.node.inside import set_default

STANDIN_NAMES = ("chcon", "crictl", "mount", "ostree", "rpm-ostree", "systemctl", "systemd-run")


class ScratchNode:
    """One node; `stateroot` is booted."""

    def __init__(self, directory: Path, stateroot: str = "rhcos", version: str = "4.15.0") -> None:
        self.directory = directory
        self.version = version
        self.sysroot = directory / "sysroot"
        self.run = directory / "run"
        self.stateroot = stateroot
        self._supervisor: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the sysroot with one deployment."""
        self.sysroot.mkdir(parents=True)
        repo = self.sysroot / "ostree/repo"
        call("ostree", "admin", "init-fs", "--modern", str(self.sysroot))
        call("ostree", f"--repo={repo}", "config", "set", "sysroot.bootloader", "none")
        self.commit = commit_tree(self.directory / "tree", repo, self.version)
        call("ostree", "admin", f"--sysroot={self.sysroot}", "os-init", self.stateroot)
        call("ostree", "admin", f"--sysroot={self.sysroot}", "deploy", f"--os={self.stateroot}", self.commit)
        for folder in ("bin", "faults"):
            (self.run / folder).mkdir(parents=True)
        (self.run / "ostree-booted").touch()
        (self.run / "commands").touch()
        shutil.copy(Path(__file__).with_name("standin"), self.run / "bin/standin")
        shutil.copy(set_default.__file__, self.run / "set_default.py")
        for name in STANDIN_NAMES:
            (self.run / "bin" / name).symlink_to("standin")

    def boot(self) -> None:
        """Start the node's init."""
        folder = self.stateroot_folder(self.stateroot)
        binds = {self.deployment(self.stateroot): "/", self.sysroot: "/sysroot", self.sysroot / "boot": "/boot"}
        binds |= {folder / "var": "/var", self.run: "/run"}
        ready, writer = os.pipe()
        words = ["bwrap", "--die-with-parent", "--unshare-pid", "--info-fd", str(writer)]
        for source, target in binds.items():
            words += ["--bind", str(source), target]
        words += ["--ro-bind", "/usr", "/usr", "--ro-bind", "/sys", "/sys", "--ro-bind", sys.base_prefix, "/run/python"]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        words += ["bash", "-c", "echo up >/run/up; exec sleep infinity"]
        os.mkfifo(self.run / "up")
        self._supervisor = subprocess.Popen(words, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(ready) as information:
            pid = json.load(information)["child-pid"]
        assert (self.run / "up").read_text() == "up\n"
        (self.directory / "init.pid").write_text(str(pid))

    def destroy(self) -> None:
        """Stop the node and make its folder removable."""
        if self._supervisor:
            self._supervisor.kill()
            self._supervisor.wait()
        subprocess.run(["chattr", "-R", "-i", str(self.sysroot / "ostree/deploy")], stderr=subprocess.DEVNULL)

    def stateroot_folder(self, stateroot: str) -> Path:
        return self.sysroot / "ostree/deploy" / stateroot

    def deployment(self, stateroot: str) -> Path:
        """The folder of the only deployment of `stateroot`."""
        (found,) = [path for path in (self.stateroot_folder(stateroot) / "deploy").iterdir() if path.is_dir()]
        return found

    def deploy(self, stateroot: str) -> None:
        """Add a second deployment, behind the booted one."""
        sysroot = f"--sysroot={self.sysroot}"
        call("ostree", "admin", sysroot, "os-init", stateroot)
        # Of deployments that differ in nothing, ostree can not change the order.
        words = [f"--os={stateroot}", "--no-prune", "--not-as-default", f"--karg-append=in={stateroot}", self.commit]
        call("ostree", "admin", sysroot, "deploy", *words)

    @property
    def init_pid(self) -> str:
        return (self.directory / "init.pid").read_text()

    @property
    def root(self) -> HostRoot:
        return HostRoot(Path("/proc", self.init_pid, "root"))

    @property
    def runner(self) -> HostRunner:
        environment = (
            "env",
            "--chdir=/",
            "-u",
            "CONTAINERS_STORAGE_CONF",
            "HOME=/tmp",
            "PATH=/run/bin:/usr/sbin:/usr/bin",
        )
        return HostRunner(Scope("scratch node", ("nsenter", "-t", self.init_pid, "-m", "-p", "--", *environment)))

    def trust_registry(self, address: str) -> None:
        """Let podman pull from a plain HTTP registry, with the kubelet's (empty) credentials."""
        kubelet = self.root.path("/var/lib/kubelet")
        kubelet.mkdir(parents=True, exist_ok=True)
        (kubelet / "config.json").write_text('{"auths":{}}')
        settings = self.root.path("/etc/containers/registries.conf")
        settings.write_text(f'[[registry]]\nlocation="{address}"\ninsecure=true\n')
        self.root.path("/var/tmp").mkdir(exist_ok=True)

    def commands(self) -> list[list[str]]:
        """What the stand-ins were called with."""
        lines = (self.run / "commands").read_text().split("\0\n")
        return [line.split("\0") for line in lines if line]

    def break_command(self, command: str, script: str) -> None:
        """Run `script` (bash) instead of the stand-in `command`, e.g. `rpm-ostree status`."""
        (self.run / "faults" / command.replace("/", "_")).write_text(script)


def commit_tree(tree: Path, repo: Path, version: str) -> str:
    """Commit a minimal operating system and return the commit's checksum."""
    kernel = tree / "usr/lib/modules/5.14.0"
    kernel.mkdir(parents=True)
    (kernel / "vmlinuz").write_text(f"kernel {version}")
    (kernel / "initramfs.img").write_text(f"initramfs {version}")
    (tree / "usr/lib/os-release").write_text(f'ID="rhcos"\nVERSION_ID="{version}"\nPRETTY_NAME="RHCOS {version}"\n')
    (tree / "usr/etc/containers").mkdir(parents=True)
    (tree / "usr/etc/containers/policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    (tree / "usr/etc/hosts").write_text("127.0.0.1 localhost\n")
    (tree / "usr/etc/removed-by-seed").write_text("x\n")
    links = {"ostree": "sysroot/ostree", "root": "var/roothome"}
    links |= {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
    links |= {name: f"var/{name}" for name in ("opt", "home", "mnt", "srv")}
    for name, target in links.items():
        (tree / name).symlink_to(target)
    for name in ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"):
        (tree / name).mkdir()
    return call("ostree", f"--repo={repo}", "commit", f"--branch=os/{version}", "--timestamp=@0", f"--tree=dir={tree}")


def call(*argv: str) -> str:
    """Run a program of the machine."""
    result = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert result.returncode == 0, f"{argv}: {result.stderr}"
    return result.stdout.strip()
