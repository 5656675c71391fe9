"""The process outside the node that owns it: boots it, boots it again, and keeps registry and S3 server running.

It is detached from whoever started it; everything dies with it (bubblewrap by `--die-with-parent`, the services by
PR_SET_PDEATHSIG), so that killing it is a power loss of the whole sandbox and the next start finds nothing left over.
Requests come as one JSON line on a unix socket, see `Supervisor.answer`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostops.files import write_json
from sandbox.daemon import DaemonError
from sandbox.faults import Faults
from sandbox.layout import SandboxLayout
from sandbox.node.boot import boot_command, lead_home, write_cluster_config
from sandbox.node.identity import Identity
from sandbox.node.inotify import DirectoryWatch
from sandbox.node.inside.manager import POWER_OFF, REBOOT
from sandbox.node.ports import Ports
from sandbox.node.powerloss import lose_unsynced
from sandbox.node.sysroot import Deployment, NoDeploymentError, choose_deployment
from sandbox.outside import ObjectStore, Registry, S3Credentials
from sandbox.outside.service import Service

CRASHES_ALLOWED = 3
CRASH_WINDOW_SECONDS = 30.0

_log = logging.getLogger("sandbox.supervisor")


class Supervisor:
    """One sandbox while it runs."""

    def __init__(self, directory: Path) -> None:
        self.layout = SandboxLayout(directory)
        self.identity = Identity.read(self.layout.identity_file)
        self.ports = Ports.read(self.layout.ports_file)
        self.faults = Faults(self.layout.faults_file)
        self.state: dict[str, Any] = {"phase": "starting", "boots": 0, "supervisor_pid": os.getpid()}
        self._selector = selectors.DefaultSelector()
        self._node: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._next_stateroot: str | None = None
        self._crashes: list[float] = []
        self._waiters: list[Callable[[], None]] = []
        self._services: dict[str, Service] = {
            "registry": Registry(self.layout.registry, self.ports.registry, log_file=self.layout.logs / "registry.log"),
            "s3": ObjectStore(
                self.layout.s3,
                self.ports.s3,
                credentials=S3Credentials("sandbox", "sandbox-secret"),
                log_file=self.layout.logs / "s3.log",
            ),
        }

    def run(self, owner_pid: int | None = None) -> int:
        """Run until the sandbox is stopped or its owner ends; returns the exit code."""
        server = self._listen()
        self._watch(server.fileno(), lambda: self._accept(server))
        watch = DirectoryWatch(self.layout.control, {self.layout.faults_file.name})
        self._watch(watch.fileno(), lambda: self._faults_changed(watch))
        signals = _signals_as_descriptor()
        self._watch(signals, lambda: self._signalled(signals))
        try:
            if owner_pid is not None:
                self._watch(os.pidfd_open(owner_pid), self._owner_ended)
            self._boot()
            self._apply_faults()
            while self._node is not None:
                for key, _ in self._selector.select():
                    key.data()
        except (DaemonError, NoDeploymentError, OSError, ValueError) as error:
            _log.exception("the sandbox can not go on")
            self._set(phase="failed", message=str(error))
            return 1
        finally:
            self._power_off_node()
            for service in self._services.values():
                service.stop()
            self._tell_waiters()
            self.layout.supervisor_socket.unlink(missing_ok=True)
        if self.state["phase"] != "failed":
            self._set(phase="stopped", node_pid=None, pids={})
        return 0 if self.state["phase"] == "stopped" else 1

    # -- the node --------------------------------------------------------------------------------------------------

    def _boot(self) -> None:
        deployment = choose_deployment(self.layout.sysroot, self._next_stateroot)
        self._next_stateroot = None
        _empty(self.layout.run)
        (self.layout.run / "ostree-booted").touch()
        self.layout.cluster_ready.unlink(missing_ok=True)
        self.layout.unsynced_notes.unlink(missing_ok=True)
        lead_home(deployment, self.ports)
        write_cluster_config(self.layout, deployment, self.identity, self.ports)
        ready, tell_ready = os.pipe()
        info, tell_info = os.pipe()
        command = boot_command(self.layout, deployment, ready_fd=tell_ready, info_fd=tell_info)
        with (self.layout.logs / "node.log").open("ab") as log:
            self._node = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(tell_ready, tell_info),
                start_new_session=True,
            )
        os.close(tell_ready)
        os.close(tell_info)
        self._set(
            phase="booting",
            boots=self.state["boots"] + 1,
            booted_at=time.time(),
            booted=_describe(deployment),
            node_pid=_read_child_pid(info),
            message="",
        )
        _log.info("booting %s of stateroot %s", deployment.name, deployment.stateroot)
        self._watch(ready, lambda: self._ready(ready))
        descriptor = os.pidfd_open(self._node.pid)
        self._watch(descriptor, lambda: self._node_ended(descriptor))

    def _ready(self, descriptor: int) -> None:
        text = os.read(descriptor, 64)
        self._unwatch(descriptor)
        if text:
            self._set(phase="running")
            self._tell_waiters()

    def _node_ended(self, descriptor: int) -> None:
        self._unwatch(descriptor)
        assert self._node is not None
        code = self._node.wait()
        self._node = None
        if code == 128 + signal.SIGKILL:
            self._lose_unsynced()
        if self._stopping or code == POWER_OFF:
            self._set(phase="stopping", node_pid=None)
            return
        if code not in (REBOOT, 128 + signal.SIGKILL):
            self._count_crash(code)
        if self.state["phase"] == "failed":
            return
        _log.info("the node ended with %d and boots again", code)
        self._set(phase="rebooting", node_pid=None)
        self._boot()

    def _count_crash(self, code: int) -> None:
        now = time.monotonic()
        self._crashes = [moment for moment in self._crashes if moment > now - CRASH_WINDOW_SECONDS] + [now]
        _log.error("process 1 of the node ended by itself with code %d", code)
        if len(self._crashes) > CRASHES_ALLOWED:
            text = (
                f"the node crashed {len(self._crashes)} times in a row (code {code}); see {self.layout.logs}/node.log"
            )
            self._set(phase="failed", message=text)
            self._tell_waiters()

    def _lose_unsynced(self) -> None:
        booted = choose_deployment(self.layout.sysroot, name=self.state["booted"]["deployment"])
        for path in lose_unsynced(self.layout.unsynced_notes, booted, self.layout.sysroot, time.time()):
            _log.info("lost by the power loss, because it was not synced: %s", path)

    def _cut_power(self) -> None:
        """Kill process 1 and with it, by the kernel, everything on the node at the same instant."""
        pid = self.state.get("node_pid")
        if self._node is not None and pid:
            os.kill(pid, signal.SIGKILL)

    def _power_off_node(self) -> None:
        if self._node is not None:
            self._cut_power()
            self._node.wait()
            self._node = None

    # -- what is asked -----------------------------------------------------------------------------------------------

    def answer(self, request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """Carry out a request: `do` is `status`, `wait-running`, `stop`, `reboot` or `power-loss`.

        `reboot` and `power-loss` take `stateroot`: boot that one instead of the default, as an administrator at the
        boot menu or a boot loader's fallback would.
        """
        kind = request.get("do")
        if kind == "status":
            reply(self._status())
        elif kind == "wait-running":
            if self.state["phase"] in ("running", "failed"):
                reply(self._status())
            else:
                self._waiters.append(lambda: reply(self._status()))
        elif kind == "stop":
            self._stopping = True
            self._set(phase="stopping")
            self._ask_node(signal.SIGTERM)
            self._waiters.append(lambda: reply(self._status()))
        elif kind in ("reboot", "power-loss"):
            self._next_stateroot = request.get("stateroot")
            if self._next_stateroot:
                choose_deployment(self.layout.sysroot, self._next_stateroot)
            boots = self.state["boots"]
            if kind == "power-loss":
                self._cut_power()
            else:
                self._ask_node(signal.SIGINT)
            reply({**self._status(), "boots": boots})
        else:
            reply({"error": f"unknown request {kind}"})

    def _ask_node(self, number: int) -> None:
        """SIGTERM asks process 1 to power off in order, SIGINT (Ctrl-Alt-Del) to reboot."""
        if self._node is not None and self.state.get("node_pid"):
            os.kill(self.state["node_pid"], number)

    def _status(self) -> dict[str, Any]:
        pids = {name: service.pid for name, service in self._services.items() if service.pid}
        return {**self.state, "pids": pids, "faults": self.faults.all()}

    # -- faults of what is outside -----------------------------------------------------------------------------------

    def _faults_changed(self, watch: DirectoryWatch) -> None:
        if watch.read():
            self._apply_faults()

    def _apply_faults(self) -> None:
        for name, service in self._services.items():
            if self.faults.active(f"{name}-down") is not None:
                service.stop()
            elif service.pid is None:
                service.start()
                self._watch_service(name, service)

    def _watch_service(self, name: str, service: Service) -> None:
        """Start it again when it ends although nobody asked it to."""
        _log.info("%s serves on %s", name, service.address)
        assert service.pid is not None
        descriptor = os.pidfd_open(service.pid)

        def ended() -> None:
            self._unwatch(descriptor)
            if not self._stopping:
                self._apply_faults()

        self._watch(descriptor, ended)

    # -- plumbing ------------------------------------------------------------------------------------------------------

    def _signalled(self, descriptor: int) -> None:
        os.read(descriptor, 64)
        self._stopping = True
        self._ask_node(signal.SIGTERM)

    def _owner_ended(self) -> None:
        self._stopping = True
        self._cut_power()

    def _set(self, **values: Any) -> None:
        self.state.update(values)
        write_json(self.layout.state_file, self.state, 0o644)

    def _watch(self, descriptor: int, action: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, action)

    def _unwatch(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def _tell_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()

    def _listen(self) -> socket.socket:
        self.layout.supervisor_socket.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A path of any length: the address of a unix socket holds only 107 bytes.
        folder = os.open(self.layout.control, os.O_PATH)
        server.bind(f"/proc/self/fd/{folder}/{self.layout.supervisor_socket.name}")
        os.close(folder)
        server.listen(16)
        return server

    def _accept(self, server: socket.socket) -> None:
        client, _ = server.accept()
        client.settimeout(2)

        def reply(value: dict[str, Any]) -> None:
            try:
                client.sendall(json.dumps(value).encode() + b"\n")
            except OSError as error:
                _log.info("a client went away: %s", error)
            client.close()

        try:
            line = client.makefile("rb").readline()
            self.answer(json.loads(line), reply)
        except (OSError, ValueError, NoDeploymentError) as error:
            reply({"error": str(error)})


def _describe(deployment: Deployment) -> dict[str, str]:
    return {"stateroot": deployment.stateroot, "deployment": deployment.name, "version": deployment.release}


def _read_child_pid(descriptor: int) -> int:
    with os.fdopen(descriptor) as file:
        text = file.read()
    return int(json.loads(text)["child-pid"]) if text else 0


def _empty(folder: Path) -> None:
    subprocess.run(["find", str(folder), "-xdev", "-mindepth", "1", "-delete"], check=True)


def _signals_as_descriptor() -> int:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


def main(argv: list[str] | None = None) -> int:
    """Entry point of the detached process."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.node.supervisor")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--owner", type=int, help="end when this process ends")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    supervisor = Supervisor(arguments.dir)
    supervisor.layout.supervisor_pid_file.write_text(f"{os.getpid()}\n")
    return supervisor.run(arguments.owner)


if __name__ == "__main__":
    sys.exit(main())
