"""A booted node in a scratch folder: a real ostree sysroot with one deployment, entered with bubblewrap.

`ScratchNode.runner` runs commands on the node (a scope, as in production), `ScratchNode.root` shows its files to the
test. ostree itself finds out which deployment is booted, from `/run/ostree-booted` and the inode of `/`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import Scope

STANDIN_NAMES = ("chcon", "crictl", "mount", "rpm-ostree", "systemctl", "systemd-run")


class ScratchNode:
    """One node; `stateroot` is booted."""

    def __init__(self, directory: Path, stateroot: str = "rhcos", version: str = "4.15.0") -> None:
        self.directory = directory
        self.version = version
        self.sysroot = directory / "sysroot"
        self.run = directory / "run"
        self.stateroot = stateroot

    def create(self) -> None:
        """Make the sysroot with one deployment and boot it."""
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
        for name in STANDIN_NAMES:
            (self.run / "bin" / name).symlink_to("standin")
        self._link_root()

    def _link_root(self) -> None:
        farm = self.directory / "root"
        farm.mkdir()
        deployment = self.deployment(self.stateroot)
        targets = {
            "ostree": self.sysroot / "ostree",
            "sysroot": self.sysroot,
            "run": self.run,
            "etc": deployment / "etc",
        }
        targets |= {"var": self.stateroot_folder(self.stateroot) / "var", "usr": Path("/usr"), "proc": Path("/proc")}
        for name, target in targets.items():
            (farm / name).symlink_to(target)

    def destroy(self) -> None:
        """Make the folder removable again."""
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
        call("ostree", "admin", sysroot, "deploy", f"--os={stateroot}", "--no-prune", "--not-as-default", self.commit)

    @property
    def root(self) -> HostRoot:
        return HostRoot(self.directory / "root")

    @property
    def scope(self) -> Scope:
        """Runs a command on the node as booted."""
        folder = self.stateroot_folder(self.stateroot)
        binds = {self.deployment(self.stateroot): "/", self.sysroot: "/sysroot", self.sysroot / "boot": "/boot"}
        binds |= {folder / "var": "/var", self.run: "/run"}
        words = ["bwrap", "--die-with-parent", "--unshare-pid", "--cap-add", "ALL"]
        for source, target in binds.items():
            words += ["--bind", str(source), target]
        words += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        words += ["--setenv", "PATH", "/run/bin:/usr/sbin:/usr/bin", "--chdir", "/", "--"]
        return Scope("scratch node", tuple(words))

    @property
    def runner(self) -> HostRunner:
        return HostRunner(self.scope)

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
    (tree / "usr/etc/hosts").write_text("127.0.0.1 localhost\n")
    (tree / "usr/etc/removed-by-seed").write_text("x\n")
    links = {"ostree": "sysroot/ostree", "root": "var/roothome"}
    links |= {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
    links |= {name: f"var/{name}" for name in ("opt", "home", "mnt", "srv")}
    for name, target in links.items():
        (tree / name).symlink_to(target)
    for name in ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"):
        (tree / name).mkdir()
    return call("ostree", f"--repo={repo}", "commit", f"--branch=os/{version}", f"--tree=dir={tree}")


def call(*argv: str) -> str:
    """Run a program of the machine."""
    result = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert result.returncode == 0, f"{argv}: {result.stderr}"
    return result.stdout.strip()
