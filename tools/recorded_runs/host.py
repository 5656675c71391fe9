"""The host of a recorded run: a real ostree sysroot in a scratch folder, with recording stand-ins on its PATH.

Deployments are real and each stateroot has its own /var, so that commands of ostree do what they say. Booting is
nothing but binding another deployment to the node's root the next time that a program is started.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.node.inside import set_default
from sandbox.node.sysroot import choose_deployment
from tools.recorded_runs.certificates import make_key_pair
from tools.recorded_runs.mounting import MOUNT_POINTS, Mounts
from tools.recorded_runs.scenario import load_yaml

INSTALLED = "rhcos"
PROGRAMS = (
    *("bash", "chcon", "crictl", "hostnamectl", "mount", "nmstatectl", "nsenter", "ostree", "podman", "rpm-ostree"),
    *("skopeo", "systemctl", "systemd-run", "unshare", "update-ca-trust"),
)
_LINKS = {
    **{name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")},
    **{name: f"var/{name}" for name in ("home", "mnt", "opt", "srv")},
    "root": "var/roothome",
    "ostree": "sysroot/ostree",
}
_HERE = Path(__file__).parent
_KUBELET_PAIRS = (("kubelet-client", 200), ("kubelet-server", 120))
"""Names of the kubelet's certificates, and for how many days they are valid."""


class RecordedHost:
    """One node in `folder`, with the files of `host.yaml`; `booted` is the stateroot that runs."""

    programs = Path("/run/bin")

    def __init__(self, folder: Path, admin_kubeconfig: Path) -> None:
        self.folder = folder
        self.sysroot = folder / "sysroot"
        self.run = folder / "run"
        self.booted = INSTALLED
        self._admin_kubeconfig = admin_kubeconfig
        self._defaults: Mapping[str, Any] = load_yaml(_HERE / "host.yaml")
        self._pairs = {name: make_key_pair(name, days) for name, days in _KUBELET_PAIRS}
        self._placed: set[str] = set()
        self._make_run()
        self._make_sysroot()
        self.deploy(INSTALLED, as_default=True)
        self.boot(INSTALLED)

    # deployments

    def deploy(self, stateroot: str, *, as_default: bool = False) -> None:
        """Make a stateroot and a deployment in it, as the installer or the stateroot Job would leave it."""
        arguments = [f"--sysroot={self.sysroot}", f"--os={stateroot}", "--no-prune"]
        if not as_default:
            arguments += ["--not-as-default", f"--karg=ibu={stateroot.removeprefix(INSTALLED + '_')}"]
        _call("ostree", "admin", "os-init", f"--sysroot={self.sysroot}", stateroot)
        _call("ostree", "admin", "deploy", *arguments, "old")
        for path, entry in self._defaults["every stateroot"].items():
            self.place(path, entry, stateroot)
        if not as_default:
            for path, entry in self._defaults["new stateroot"].items():
                self.place(path, entry, stateroot)
            for path, entry in self._defaults["with a new stateroot"].items():
                self.place(path, entry, self.booted)
        for name, pair in self._pairs.items():
            folder = "/var/lib/kubelet/pki"
            self.place(f"{folder}/{name}-2026-01-01-00-00-00.pem", {"text": pair, "mode": 0o600}, stateroot)
            link = {"link": f"{folder}/{name}-2026-01-01-00-00-00.pem"}
            self.place(f"{folder}/{name}-current.pem", link, stateroot)
        for path in self.stateroot_folder(stateroot).rglob("*"):
            self._note(path)
        kubeconfig = {"text": self._admin_kubeconfig.read_text(), "mode": 0o600}
        self.place(self._defaults["kubeconfig"], kubeconfig, stateroot)

    def order(self, deployments: Sequence[str]) -> None:
        """Bring the deployments into this order of stateroots, the default of the next boot first."""
        current = self.deployments()
        if current != list(deployments):
            assert current == list(reversed(deployments)), f"can not bring {current} into the order {deployments}"
            self._set_default(1)

    def deployments(self) -> list[str]:
        """Stateroots of the deployments in boot order."""
        text = _call("ostree", "admin", "status", f"--sysroot={self.sysroot}")
        return re.findall(r"^[ *] (\S+) [0-9a-f]+\.[0-9]+", text, re.MULTILINE)

    def undeploy(self, index: int, stateroot: str) -> None:
        """Remove a deployment and its stateroot, as an administrator would."""
        _call("ostree", "admin", "undeploy", f"--sysroot={self.sysroot}", str(index))
        shutil.rmtree(self.stateroot_folder(stateroot))

    def boot(self, stateroot: str | None = None) -> None:
        """Boot the default deployment, or that of `stateroot`; counts from the next start of a program."""
        self.booted = choose_deployment(self.sysroot, stateroot).stateroot
        (self.run / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self.place("/var/lib/containers", None, self.booted)

    def stateroot_folder(self, stateroot: str) -> Path:
        """Where a stateroot lies on the machine."""
        return self.sysroot / "ostree/deploy" / stateroot

    def root(self, stateroot: str) -> Path:
        """The root of a stateroot's deployment."""
        return choose_deployment(self.sysroot, stateroot).root

    def var(self, stateroot: str) -> Path:
        """The /var of a stateroot."""
        return self.stateroot_folder(stateroot) / "var"

    # files and stand-ins

    def find(self, path: str, stateroot: str | None = None) -> Path:
        """Where a host path of a stateroot (the booted one) lies on the machine; links of the root are followed."""
        stateroot = stateroot or self.booted
        first, *rest = PurePosixPath(path).parts[1:]
        target = _LINKS.get(first, first)
        if target == "var" or target.startswith("var/"):
            return self.stateroot_folder(stateroot) / target / "/".join(rest)
        return self.root(stateroot) / first / "/".join(rest)

    def write(self, path: str, text: str, stateroot: str | None = None) -> None:
        """Write a file as a scenario demands it."""
        self.place(path, {"text": text}, stateroot or self.booted)

    def remove(self, path: str, stateroot: str | None = None) -> None:
        """Remove a file or folder."""
        found = self.find(path, stateroot)
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()

    def answer(self, name: str, text: str = "") -> None:
        """Give a stand-in its answer, or turn a switch on."""
        (self.run / "answers" / name).write_text(text)

    def set_seed_labels(self, labels: Mapping[str, str]) -> None:
        """Set the labels that `skopeo inspect` shows."""
        self.answer(
            "skopeo-inspect.json",
            json.dumps({"Architecture": "amd64", "Os": "linux", "Labels": dict(labels), "LayersData": []}),
        )

    def break_commands(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Let host commands fail from now on: `match` a regular expression on name and words, `rc` and `output`."""
        for number, fault in enumerate(faults):
            base = self.run / "faults" / str(number)
            output = str(fault.get("output") or "")
            base.with_suffix(".code").write_text(str(fault["rc"]))
            base.with_suffix(".output").write_text(output and output.rstrip("\n") + "\n")
            base.with_suffix(".match").write_text(fault["match"])

    def mend_commands(self) -> None:
        """Take all faults back."""
        for file in (self.run / "faults").iterdir():
            file.unlink()

    def commands(self) -> list[tuple[int, int, tuple[str, ...]]]:
        """Every host command so far: exit code, nesting, words; those that ran longest come last."""
        lines = (self.run / "commands").read_bytes().decode().split("\0\n")
        parts = [line.split("\0") for line in lines if line]
        return [(int(code), int(nesting), tuple(words)) for code, nesting, *words in parts]

    def placed(self) -> set[str]:
        """Paths (as in recordings) that this class wrote, not what is tested."""
        return set(self._placed)

    # programs

    def isolate(self) -> list[str]:
        """See `Mounts.isolate`."""
        return self._mounts().isolate()

    def enter(self, **environment: str) -> list[str]:
        """See `Mounts.enter`."""
        return self._mounts().enter(**environment)

    def _mounts(self) -> Mounts:
        return Mounts(self.root(self.booted), self.var(self.booted), self.sysroot, self.run)

    # making

    def _make_run(self) -> None:
        for name in ("answers", "bin", "faults", *MOUNT_POINTS):
            (self.run / name).mkdir(parents=True)
        for name in ("commands", "ostree-booted", "boot_id"):
            (self.run / name).touch()
        shutil.copy(_HERE / "standin", self.run / "bin/standin")
        for name in PROGRAMS:
            (self.run / "bin" / name).symlink_to("standin")
        shutil.copy(set_default.__file__, self.run)
        self.set_seed_labels({key: _to_text(value) for key, value in self._defaults["seed labels"].items()})
        self.answer("nmstatectl.json", json.dumps(self._defaults["network state"]))

    def _make_sysroot(self) -> None:
        self.sysroot.mkdir()
        repository = self.sysroot / "ostree/repo"
        _call("ostree", "admin", "init-fs", "--modern", str(self.sysroot))
        _call("ostree", f"--repo={repository}", "config", "set", "sysroot.bootloader", "none")
        tree = self.folder / "tree"
        kernel = tree / "usr/lib/modules/5.14.0"
        kernel.mkdir(parents=True)
        for name in ("vmlinuz", "initramfs.img"):
            (kernel / name).write_text(f"{name}\n")
        (tree / "usr/lib/os-release").write_text('ID="rhcos"\nVERSION_ID="4.14"\nPRETTY_NAME="RHCOS"\n')
        (tree / "usr/etc").mkdir()
        for name, target in _LINKS.items():
            (tree / name).symlink_to(target)
        for name in ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"):
            (tree / name).mkdir()
        _call(
            *("ostree", f"--repo={repository}", "commit", "--branch=old", "--timestamp=@0"),
            *("--owner-uid=0", "--owner-gid=0", f"--tree=dir={tree}"),
        )

    def place(self, path: str, entry: Mapping[str, Any] | str | None, stateroot: str) -> None:
        """Make a folder (None), a file (its text) or what a mapping says: text, json, link, folder, mode."""
        entry = {"text": entry} if isinstance(entry, str) else entry or {"folder": True}
        found = self.find(path, stateroot)
        for folder in [folder for folder in found.parents if not folder.exists()][::-1]:
            folder.mkdir(mode=0o755)
            self._note(folder)
        if "link" in entry:
            found.symlink_to(entry["link"])
        elif entry.get("folder"):
            found.mkdir(exist_ok=True)
        else:
            found.write_text(entry["text"] if "text" in entry else json.dumps(entry["json"]))
        if "mode" in entry:
            found.chmod(entry["mode"])
        self._note(found)

    def _note(self, path: Path) -> None:
        self._placed.add("/" + str(path.relative_to(self.sysroot)))

    def _set_default(self, index: int) -> None:
        _call(sys.executable, "-S", set_default.__file__, str(index), OSTREE_SYSROOT=str(self.sysroot))

    def destroy(self) -> None:
        """Make the folder removable: ostree marks the roots of deployments as immutable."""
        subprocess.run(["chattr", "-i", *(map(str, self.sysroot.glob("ostree/deploy/*/deploy/*.0")))], check=False)


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _call(*argv: str, **environment: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout
