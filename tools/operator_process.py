"""`lca operator` as a process of its own on a scratch host, for tests and measurements.

The host is a folder: bubblewrap makes a root from it and from the machine's programs, read-only, so that nothing can
happen to the machine's own /var, /ostree and /sysroot. Two stand-ins on PATH play the programs that only a booted node
has. Everything else is real. A host with deployments of its own is `tools.recorded_runs.host`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

_RPM_OSTREE = """#!/bin/sh
echo "$*" >>"{folder}/commands"
cat "{folder}/rpm-ostree-status.json"
"""
_OWN_FOLDERS = ("ostree", "sysroot", "var")
_SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>"{folder}/commands"
test "$1" != cat || cat "{folder}/mount-unit"
"""


class Host(Protocol):
    """Where the operator runs: `programs` comes first on its PATH, `isolate` gives what stands before its argv."""

    @property
    def programs(self) -> Path:
        """A folder as the operator, and the commands that it runs on the host, see it."""
        ...

    def isolate(self) -> list[str]:
        """Return the start of an argv that runs a program on this host, as the only child of its first process."""
        ...


class ScratchHost:
    """The part of a node that the idle operator looks at: deployments, the container storage unit, /var/lib/lca."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "lca"
        self.programs = folder / "bin"
        self._stateroots = folder / "ostree/deploy"
        for directory in (self.state, self.programs, self._stateroots / "rhcos"):
            directory.mkdir(parents=True)
        for name, text in (("rpm-ostree", _RPM_OSTREE), ("systemctl", _SYSTEMCTL)):
            (self.programs / name).write_text(text.format(folder=folder))
            (self.programs / name).chmod(0o755)
        self.boot("rhcos")
        self.set_mount_unit("[Mount]\nWhat=/dev/disk/by-partlabel/var-lib-containers\nWhere=/var/lib/containers\n")

    def boot(self, stateroot: str, *others: str) -> None:
        """Let rpm-ostree report `stateroot` as the booted one, and `others` as deployed."""
        deployments = [
            {"id": f"{name}-c.0", "osname": name, "serial": 0, "checksum": "c", "booted": not index, "staged": False}
            for index, name in enumerate((stateroot, *others))
        ]
        text = json.dumps({"deployments": deployments, "transaction": None})
        new = self.folder / "rpm-ostree-status.new"
        new.write_text(text)
        new.replace(self.folder / "rpm-ostree-status.json")
        self.mark_change()

    def mark_change(self) -> None:
        """Let the deployments look changed, as ostree does."""
        os.utime(self._stateroots)

    def isolate(self) -> list[str]:
        """Return the start of an argv that runs a program on this host."""
        return [
            *("bwrap", "--die-with-parent", "--tmpfs", "/"),
            *bind_machine(without=_OWN_FOLDERS),
            *("--dev-bind", "/dev", "/dev", "--ro-bind", "/proc", "/proc"),
            *("--bind", str(self.folder), str(self.folder)),
            *("--dir", "/var/tmp", "--bind", str(self._stateroots), "/ostree/deploy"),  # noqa: S108  its own root
            *("--bind", str(self.state), "/var/lib/lca", "--"),
        ]

    def set_mount_unit(self, text: str) -> None:
        """Set what `systemctl cat var-lib-containers.mount` prints."""
        (self.folder / "mount-unit").write_text(text)


def bind_machine(*, without: Collection[str]) -> list[str]:
    """Return options of bubblewrap that show the machine's root read-only, except for /dev, /proc and `without`."""
    options: list[str] = []
    for entry in sorted(Path("/").iterdir()):
        if entry.name not in ("dev", "proc", *without):
            options += ["--symlink", str(entry.readlink())] if entry.is_symlink() else ["--ro-bind", str(entry)]
            options.append(str(entry))
    return options


class OperatorProcess:
    """One run of `lca operator`; `start` returns at once, `wait_for` follows its log.

    `prelude` is Python that runs before the operator.
    """

    def __init__(
        self,
        host: Host,
        kubeconfig: Path,
        *flags: str,
        environment: dict[str, str] | None = None,
        prelude: str = "",
    ):
        self._host = host
        self._prelude = prelude
        self._flags = ("--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0", *flags)
        self._environment = {
            **os.environ,
            "PATH": f"{host.programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "LCA_LOG_FORMAT": "json",
            "MALLOC_ARENA_MAX": "1",
            **(environment or {}),
        }
        self.log: list[dict[str, Any]] = []
        self._logged = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The process id of Python itself: bubblewrap's only child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process; it must have been started."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it."""
        self.log.clear()
        program = (sys.executable, "-c", f"{self._prelude}\nfrom agent.cli.main import main; main()", "operator")
        self._process = subprocess.Popen(
            (*self._host.isolate(), *program, *self._flags),
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_for(self, matches: Callable[[dict[str, Any]], bool], timeout_seconds: float = 30.0) -> dict[str, Any]:
        """Return the first log record that matches, waiting for it; TimeoutError shows the whole log."""
        with self._logged:
            if not self._logged.wait_for(lambda: any(map(matches, self.log)), timeout_seconds):
                raise TimeoutError(f"not logged within {timeout_seconds} s; the log:\n{self.show_log()}")
            return next(record for record in self.log if matches(record))

    def wait_for_message(self, message: str) -> dict[str, Any]:
        """Return the first log record with `message`, waiting for it."""
        return self.wait_for(lambda record: record["message"] == message)

    def port_of(self, path: str) -> int:
        """Return the port on which `path` is served."""
        return int(self.wait_for(lambda r: r["message"] == "serving" and path in r["paths"].split(", "))["port"])

    def find_port(self, path: str) -> int | None:
        """Return the port on which `path` is served; None when it is not, or not yet."""
        with self._logged:
            ports = [r["port"] for r in self.log if r["message"] == "serving" and path in r["paths"].split(", ")]
        return int(ports[-1]) if ports else None

    def show_log(self) -> str:
        """Return the log for reading."""
        return "\n".join(json.dumps(record) for record in self.log)

    def wait(self, timeout_seconds: float = 30.0) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(timeout_seconds)
        self._finish_log()
        return code

    def terminate(self, timeout_seconds: float = 30.0) -> int:
        """Ask it to end, as the kubelet does; return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(timeout_seconds)

    def kill(self) -> None:
        """Kill it without warning."""
        if self._process is not None and self._process.poll() is None:
            # First the one inside: as process 1 of its own namespace it may survive bubblewrap's end.
            with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._finish_log()

    def _finish_log(self) -> None:
        if self._reader is not None:
            self._reader.join()

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                with self._logged:
                    self.log.append(_parse(line))
                    self._logged.notify_all()


def _parse(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {"level": "raw", "message": line.rstrip("\n")}
    assert isinstance(record, dict)
    return record


def read_conditions(obj: dict[str, Any]) -> Sequence[str]:
    """Return the conditions of an object in one line each: `Idle=True/Idle Idle`."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return [f"{c['type']}={c['status']}/{c['reason']} {c['message']}" for c in conditions]
