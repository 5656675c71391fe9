"""One unit: its settings and its life cycle as systemd would show it."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable, Iterable

from sandbox.node.inside.unitfiles import Sections, last, values, words

LOGS = "/sandbox/logs"
SETTLED = ("active", "inactive", "failed")


class Unit:
    """State of a unit.

    `active` is systemd's ActiveState, `result` the reason of a failure ("success" otherwise). `on_settled` is called
    whenever a start or a stop is over.
    """

    def __init__(self, name: str, sections: Sections, system: System) -> None:
        self.name = name
        self.sections = sections
        self.active = "inactive"
        self.result = "success"
        self.exit_code = 0
        self.main_pid = 0
        self.collect = False
        self.transient = False
        self.starts: list[float] = []
        self.restarts = 0
        self.since = 0.0
        self.end_waiters: list[Callable[[], None]] = []
        self._system = system
        self._control_pid = 0
        self._queue: list[str] = []
        self._then: Callable[[], None] = lambda: None
        self._stopping = False
        self._restart_timer = 0.0

    @property
    def kind(self) -> str:
        """The service's Type, or `target`, `mount`."""
        suffix = self.name.rpartition(".")[2]
        return last(self.sections, "Service", "Type", "simple") if suffix == "service" else suffix

    @property
    def description(self) -> str:
        """Text for people."""
        return last(self.sections, "Unit", "Description", self.name)

    def references(self, key: str) -> list[str]:
        """Words of a list of the [Unit] section, such as After or Wants."""
        return words(self.sections, "Unit", key)

    def cancel_restart(self) -> None:
        """Forget a scheduled restart."""
        self._restart_timer = 0.0

    # -- starting --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start; `system.settled(self)` is called at the end, whatever it is."""
        self._restart_timer = 0.0
        self._stopping = False
        if not self._conditions_hold():
            self._system.log(self, f"{self.description} was skipped because of an unmet condition check.")
            return self._become("inactive")
        if self.kind == "target":
            return self._become("active")
        if self.kind == "mount":
            mounted = is_mounted(last(self.sections, "Mount", "Where"))
            self.result = "success" if mounted else "exit-code"
            return self._become("active" if mounted else "failed")
        if not values(self.sections, "Service", "ExecStart"):
            self.result = "bad-setting"
            return self._become("failed")
        if not self._may_start_again():
            self._system.log(self, "Start request repeated too quickly.")
            self.result = "start-limit-hit"
            return self._become("failed")
        self.result, self.exit_code = "success", 0
        self._become("activating")
        return self._run_queue(values(self.sections, "Service", "ExecStartPre"), self._start_main)

    def _start_main(self) -> None:
        commands = values(self.sections, "Service", "ExecStart")
        if self.kind == "oneshot":
            self._run_queue(commands, self._oneshot_is_done)
            return
        self.main_pid = self._spawn(commands[-1])
        if self.kind != "notify":
            self._become("active")

    def _oneshot_is_done(self) -> None:
        if last(self.sections, "Service", "RemainAfterExit") in ("yes", "true", "1"):
            self._become("active")
        else:
            self._finish()

    def is_ready(self) -> None:
        """The service of Type=notify says READY=1."""
        if self.active == "activating" and self.main_pid:
            self._become("active")

    def _conditions_hold(self) -> bool:
        for path in values(self.sections, "Unit", "ConditionPathExists"):
            wanted = not path.startswith("!")
            if os.path.exists(path.lstrip("!|")) != wanted:
                return False
        return True

    def _may_start_again(self) -> bool:
        now = time.monotonic()
        interval = seconds(last(self.sections, "Unit", "StartLimitIntervalSec", "10"))
        burst = int(last(self.sections, "Unit", "StartLimitBurst", "5"))
        self.starts = [moment for moment in self.starts if moment > now - interval]
        if interval and len(self.starts) >= burst:
            return False
        self.starts.append(now)
        return True

    # -- stopping --------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin to stop; `system.settled(self)` is called at the end."""
        self._restart_timer = 0.0
        if self.active in ("inactive", "failed"):
            return self._system.settled(self)
        if self.kind in ("target", "mount"):
            return self._become("inactive")
        self._stopping = True
        starting = self._control_pid
        self._become("deactivating")
        if starting:
            self._queue.clear()
            return self._terminate()
        return self._run_queue(values(self.sections, "Service", "ExecStop"), self._terminate)

    def _terminate(self) -> None:
        leader = self.main_pid or self._control_pid
        if not leader:
            return self._finish()
        self._then = self._finish
        alone = last(self.sections, "Service", "KillMode") in ("mixed", "process")
        self._system.signal_tree(leader, signal.SIGTERM, alone=alone)
        timeout = seconds(last(self.sections, "Service", "TimeoutStopSec", "90"))
        return self._system.after(timeout, lambda: self._kill_late(leader))

    def _kill_late(self, leader: int) -> None:
        if leader in (self.main_pid, self._control_pid):
            self._system.log(self, "State 'stop-sigterm' timed out. Killing.")
            self.result = "timeout"
            self._system.signal_tree(leader, signal.SIGKILL)

    def kill(self, number: int) -> None:
        """`systemctl kill`."""
        leader = self.main_pid or self._control_pid
        if leader:
            self._system.signal_tree(leader, number)

    # -- processes -------------------------------------------------------------------------------------------------

    def _run_queue(self, commands: list[str], then: Callable[[], None]) -> None:
        """Run commands one after the other, then call `then`."""
        self._queue, self._then = list(commands), then
        self._next_command()

    def _next_command(self) -> None:
        if self._queue:
            self._control_pid = self._spawn(self._queue[0])
        else:
            self._then()

    def _spawn(self, command: str) -> int:
        environment = {
            "INVOCATION_ID": os.urandom(16).hex(),
            "SERVICE_RESULT": self.result,
            "EXIT_STATUS": str(self.exit_code),
        }
        if self.kind == "notify":
            environment["NOTIFY_SOCKET"] = "/run/systemd/notify"
        for line in values(self.sections, "Service", "Environment"):
            environment.update(_pairs(shlex.split(line)))
        for path in values(self.sections, "Service", "EnvironmentFile"):
            environment.update(read_environment_file(path))
        text = command.lstrip("-@+!:").replace("%n", self.name).replace("%%", "%")
        folder = last(self.sections, "Service", "WorkingDirectory", "/")
        return self._system.spawn(self, shlex.split(text), environment, folder)

    def process_ended(self, pid: int, code: int) -> None:
        """A process of this unit ended; `code` is negative for a signal."""
        if pid == self.main_pid:
            self.main_pid = 0
            self._system.signal_tree(pid, signal.SIGKILL)
            self._judge(code, graceful=True)
            if not self._control_pid:  # else an ExecStop still runs, and goes on when it ends
                self._finish()
        elif pid == self._control_pid:
            self._control_pid = 0
            command = self._queue.pop(0) if self._queue else ""
            if self.active == "activating" and code and not command.startswith("-"):
                self._judge(code, graceful=False)
                self._finish()
            else:
                self._next_command()

    def _judge(self, code: int, *, graceful: bool) -> None:
        clean = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGPIPE) if graceful else ()
        accepted = words(self.sections, "Service", "SuccessExitStatus")
        self.exit_code = code if code >= 0 else 128 - code
        if code == 0 or code in clean or str(code) in accepted:
            return
        if self.result == "success" and not (self._stopping and code < 0):
            self.result = "exit-code" if code > 0 else "signal"
            status = f"code=exited, status={code}" if code > 0 else f"code=killed, signal={signal.Signals(-code).name}"
            self._system.log(self, f"Main process exited, {status}")

    def _finish(self) -> None:
        if self.active != "deactivating":
            self._become("deactivating")
        self._run_queue(values(self.sections, "Service", "ExecStopPost"), self._ended)

    def _ended(self) -> None:
        failed = self.result != "success"
        if failed:
            self._system.log(self, f"Failed with result '{self.result}'.")
        restart = not self._stopping and self._wants_restart(failed)
        self._become("failed" if failed else "inactive")
        if restart:
            delay = seconds(last(self.sections, "Service", "RestartSec", "0.1"))
            self._restart_timer = moment = time.monotonic() + delay
            self._system.after(delay, lambda: self._restart(moment))

    def _restart(self, moment: float) -> None:
        if moment == self._restart_timer:
            self.restarts += 1
            self._system.log(self, f"Scheduled restart job, restart counter is at {self.restarts}.")
            self._system.request_start(self.name)

    def _wants_restart(self, failed: bool) -> bool:
        policy = last(self.sections, "Service", "Restart", "no")
        abnormal = self.result in ("signal", "timeout")
        return {"always": True, "on-failure": failed, "on-success": not failed, "on-abnormal": abnormal}.get(
            policy, False
        )

    def _become(self, state: str) -> None:
        if state == self.active == "active":
            return
        self.active = state
        self.since = time.time()
        lines = {"active": "Started", "inactive": "Stopped", "failed": "Failed:", "activating": "Starting"}
        if state in lines:
            self._system.log(self, f"{lines[state]} {self.description}.")
        if state in SETTLED:
            self._system.settled(self)


class System:
    """What a unit needs of the manager."""

    def spawn(self, unit: Unit, argv: list[str], environment: dict[str, str], folder: str) -> int:
        """Start a process of `unit`; returns its id."""
        raise NotImplementedError

    def signal_tree(self, leader: int, number: int, *, alone: bool = False) -> None:
        """Send a signal to a process and, unless it is meant `alone`, to its session and descendants."""
        raise NotImplementedError

    def after(self, delay_seconds: float, action: Callable[[], None]) -> None:
        """Call `action` later."""
        raise NotImplementedError

    def settled(self, unit: Unit) -> None:
        """A start or stop of `unit` is over."""
        raise NotImplementedError

    def request_start(self, name: str) -> None:
        """Queue a start job."""
        raise NotImplementedError

    def log(self, unit: Unit, text: str) -> None:
        """Append to the unit's journal."""
        raise NotImplementedError


def is_mounted(path: str) -> bool:
    """Whether something is mounted at `path`, be it a folder of the same file system."""
    with open("/proc/self/mountinfo") as file:
        return any(line.split(" ", 5)[4] == path for line in file)


def seconds(text: str) -> float:
    """systemd's time span in seconds: `5`, `5s`, `1min`, `500ms`, `infinity`."""
    for suffix, factor in (("ms", 0.001), ("min", 60.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return 1e9 if text == "infinity" else float(text)


def read_environment_file(path: str) -> dict[str, str]:
    """Settings of an EnvironmentFile; with a leading `-` its absence is fine. Raises OSError."""
    if path.startswith("-") and not os.path.exists(path[1:]):
        return {}
    with open(path.lstrip("-")) as file:
        return {key: value.strip("\"'") for key, value in _pairs(line.strip() for line in file if line[0] not in "#;")}


def _pairs(assignments: Iterable[str]) -> list[tuple[str, str]]:
    split = (text.partition("=") for text in assignments)
    return [(key.strip(), value.strip()) for key, equals, value in split if equals]
