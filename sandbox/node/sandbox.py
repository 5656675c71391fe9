"""A sandbox as its user handles it: up, down, reboot, exec, status.

Only what every command needs is imported here: `lca sandbox exec` starts at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hostops.files import read_json
from sandbox.faults import Faults
from sandbox.layout import SandboxLayout
from sandbox.node.commands import read_commands
from sandbox.node.environment import KUBECONFIG, node_environment
from sandbox.node.failure import SandboxError
from sandbox.node.identity import Identity
from sandbox.node.inotify import DirectoryWatch
from sandbox.node.requests import NotRunningError, ask_supervisor, list_units
from sandbox.node.sysroot import INSTALLED_STATEROOT, list_bootable

Say = Callable[[str], None]
"""Takes a line about progress."""

UP_SECONDS = 180.0
BOOT_SECONDS = 180.0
"""A boot is over when all units are started, the configuration after a pivot included."""
DOWN_SECONDS = 60.0


class Sandbox:
    """The sandbox in `directory`. Everything it does can be repeated; nothing is kept in this object."""

    def __init__(self, directory: Path) -> None:
        self.layout = SandboxLayout(directory.absolute())
        self.faults = Faults(self.layout.faults_file)

    # -- life ----------------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether it was made completely."""
        return self.layout.identity_file.exists()

    @property
    def is_running(self) -> bool:
        """Whether its supervisor lives."""
        if not self.layout.lock_file.exists():
            return False
        with self._lock() as taken:
            return not taken

    def up(self, identity: Identity, *, owner_pid: int | None = None, say: Say = lambda _: None) -> None:
        """Make the sandbox unless it exists, start it unless it runs; return when ImageBasedUpgrade `upgrade` is Idle.

        `identity` counts for a new sandbox only. With `owner_pid` it ends when that process ends.
        Raises SandboxError, ApiError, OSError.
        """
        from sandbox.node.readiness import wait_idle

        self.create(identity, say)
        if self.start(owner_pid):
            say("booting")
        self.wait_ready()
        self._publish_recert()
        say("waiting for the upgrade agent")
        wait_idle(self.layout.kubeconfig, UP_SECONDS)

    def create(self, identity: Identity, say: Say = lambda _: None, *, registry: str | None = None) -> None:
        """Make the sandbox unless it exists; see `up`. `registry` is the one it pulls from, if not its own."""
        from hostops.runner import CommandError
        from sandbox.node.making import make_node
        from sandbox.node.requirements import check_requirements

        check_requirements(self.layout.directory)
        self.layout.make_directories()
        with self._lock() as taken:
            if taken and not self.exists:
                say(f"installing {identity.version} into {self.layout.directory}")
                try:
                    make_node(self.layout, identity, registry)
                except CommandError as error:
                    raise SandboxError(f"installing the node failed at `{' '.join(error.argv)}`: {error}") from error

    def _publish_recert(self) -> None:
        """Have the image of recert where the node gets it from: its own registry, which stands in for the original."""
        from hostops.runner import CommandError, HostRunner
        from sandbox.node.payload import publish_recert
        from sandbox.node.ports import Ports

        if self.faults.active("registry-down") is not None:
            return
        try:
            publish_recert(HostRunner(), self.layout.directory, Ports.read(self.layout.ports_file).registry)
        except CommandError as error:
            raise SandboxError(f"publishing recert failed at `{' '.join(error.argv)}`: {error}") from error

    def start(self, owner_pid: int | None = None) -> bool:
        """Start the supervisor, which boots the node; False if it runs already."""
        from sandbox.node.making import start_supervisor

        with self._lock() as taken:
            if taken:
                start_supervisor(self.layout, taken, owner_pid)
        return taken is not None

    def wait_ready(self, timeout_seconds: float = UP_SECONDS) -> None:
        """Return when the cluster of the booted deployment answers. Raises SandboxError."""
        deadline = time.monotonic() + timeout_seconds
        watch = DirectoryWatch(self.layout.control, {self.layout.cluster_ready.name, self.layout.state_file.name})
        try:
            while not self.layout.cluster_ready.exists():
                if not self.is_running:
                    raise SandboxError(f"the sandbox ended: {self._last_words()}")
                kubelet = [unit for unit in list_units(self.layout) if unit["name"] == "kubelet.service"]
                if kubelet and kubelet[0]["active"] == "failed":
                    raise SandboxError(f"the cluster does not start: {last_line(self.layout.logs / 'kubelet.log')}")
                if time.monotonic() > deadline:
                    raise SandboxError(f"the cluster is not ready after {timeout_seconds:g} s; {self._where_to_look()}")
                select.select([watch.fileno()], [], [], 1.0)
                watch.read()
        finally:
            watch.close()

    def down(self) -> None:
        """Stop everything in order; harmless when nothing runs. Raises SandboxError when it does not end in time."""
        with contextlib.suppress(NotRunningError):
            ask_supervisor(self.layout, do="stop", timeout_seconds=DOWN_SECONDS)
        deadline = time.monotonic() + DOWN_SECONDS
        while self.is_running:
            if time.monotonic() > deadline:
                os.kill(int(self.layout.supervisor_pid_file.read_text()), signal.SIGKILL)
            time.sleep(0.05)

    def purge(self) -> None:
        """Delete the folder with everything in it. The sandbox must not run."""
        if self.is_running:
            raise SandboxError(f"the sandbox in {self.layout.directory} runs; stop it first")
        if not self.layout.directory.exists():
            return
        if not self.layout.control.is_dir():
            raise SandboxError(f"{self.layout.directory} is not a sandbox; delete it yourself if you mean it")
        # ostree makes the roots of deployments immutable; complaints about links are harmless.
        deployments = self.layout.sysroot / "ostree/deploy"
        subprocess.run(["chattr", "-R", "-f", "-i", str(deployments)], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.layout.directory)

    def reboot(self, stateroot: str | None = None, *, power_loss: bool = False) -> None:
        """Reboot the node into its default deployment or into `stateroot`; return when it runs again.

        Raises SandboxError.
        """
        boots = self.state()["boots"]
        ask_supervisor(self.layout, do="power-loss" if power_loss else "reboot", stateroot=stateroot)
        self.wait_booted(after=boots)

    def wait_booted(self, after: int = 0, timeout_seconds: float = BOOT_SECONDS) -> None:
        """Return when the node was booted more than `after` times and all its units are started."""
        deadline = time.monotonic() + timeout_seconds
        watch = DirectoryWatch(self.layout.control, {self.layout.state_file.name})
        try:
            while (state := self.state())["boots"] <= after or state["phase"] != "running":
                if not self.is_running or time.monotonic() > deadline:
                    raise SandboxError(f"the node did not boot: {self._last_words()}")
                select.select([watch.fileno()], [], [], 1.0)
                watch.read()
        finally:
            watch.close()

    # -- looking and acting -----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What the supervisor wrote last; `phase` is `stopped` when there is none."""
        try:
            state: dict[str, Any] = read_json(self.layout.state_file)
        except FileNotFoundError:
            return {"phase": "starting" if self.is_running else "stopped", "boots": 0}
        return state

    def status(self) -> dict[str, Any]:
        """Everything `lca sandbox status` shows."""
        running = self.is_running
        state = self.state()
        if not running and state["phase"] not in ("stopped", "failed"):
            state = {**state, "phase": "killed", "node_pid": None}
        elif running:
            with contextlib.suppress(NotRunningError):
                state = ask_supervisor(self.layout, do="status")
        deployments = [
            {"stateroot": each.stateroot, "deployment": each.name, "default": index == 0}
            for index, each in enumerate(list_bootable(self.layout.sysroot))
        ]
        return {
            "directory": str(self.layout.directory),
            "running": running,
            **state,
            "cluster_ready": running and self.layout.cluster_ready.exists(),
            "registry": self._registry,
            "deployments": deployments,
            "units": list_units(self.layout) if running else [],
            "faults": self.faults.all(),
            "commands": [asdict(command) for command in read_commands(self.layout.commands_log)],
        }

    def log_files(self) -> dict[str, Path]:
        """Log by part: units, what is outside of the node, and containers of the booted stateroot's Pods.

        A container is called `pods/NAMESPACE_POD_UID/CONTAINER/START`.
        """
        found = {path.stem: path for path in sorted(self.layout.logs.glob("*.log"))}
        stateroot = self.state().get("booted", {}).get("stateroot", INSTALLED_STATEROOT)
        pods = self.layout.sysroot / "ostree/deploy" / stateroot / "var/log/pods"
        return found | {f"pods/{path.relative_to(pods).with_suffix('')}": path for path in sorted(pods.rglob("*.log"))}

    def exec_argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` on the node as booted. Raises NotRunningError."""
        pid = self.state().get("node_pid")
        if not pid or not self.is_running:
            raise NotRunningError(f"the node in {self.layout.directory} does not run; lca sandbox up")
        environment = {**node_environment(), "KUBECONFIG": str(KUBECONFIG), "TERM": os.environ.get("TERM", "dumb")}
        assignments = [f"{key}={value}" for key, value in environment.items()]
        enter = ["nsenter", f"--target={pid}", "--mount", "--pid", "--uts", "--ipc", "--root"]
        return [*enter, "/usr/bin/env", "-i", "--chdir=/", *assignments, *command]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `command` on the node and capture its output. Raises NotRunningError, CalledProcessError."""
        return subprocess.run(self.exec_argv(command), capture_output=True, text=True, check=check)

    @property
    def _registry(self) -> str | None:
        """Address of the container registry."""
        try:
            return f"127.0.0.1:{read_json(self.layout.ports_file)['registry']}"
        except FileNotFoundError:
            return None

    # -- plumbing ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int | None]:
        """The descriptor of the lock file if nobody holds the lock, else None. The supervisor inherits it."""
        self.layout.lock_file.touch()
        descriptor = os.open(self.layout.lock_file, os.O_RDWR)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)

    def _last_words(self) -> str:
        message = self.state().get("message") or last_line(self.layout.logs / "supervisor.log")
        return f"{message}; {self._where_to_look()}"

    def _where_to_look(self) -> str:
        return f"see supervisor.log, node.log and kubelet.log in {self.layout.logs}"


def last_line(log: Path) -> str:
    """The last line that a program, not systemd, wrote to its log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return next((line for line in reversed(lines) if line and " systemd[1]: " not in line), "no message")
