"""The units of the booted node and the jobs that start and stop them in order."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from sandbox.node.inside.unit import LOGS, System, Unit
from sandbox.node.inside.unitfiles import NoSuchUnitError, Sections, full_name, read_unit, search_path

REBOOT, POWER_OFF = 10, 11
"""Exit codes of process 1 that tell the supervisor what to do next."""


class Job:
    """A queued start or stop and who waits for its end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.running = False
        self.waiters: list[Callable[[], None]] = []


class Manager(System):
    """The units of the booted deployment."""

    def __init__(self) -> None:
        self._folders = search_path()
        self._units: dict[str, Unit] = {}
        self._jobs: dict[str, Job] = {}
        self._processes: dict[int, Unit] = {}
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._shutdown = 0
        own = ("PYTHONPATH", "LD_LIBRARY_PATH", "SANDBOX_READY_FD", "HOME")  # systemd gives services no HOME
        self._environment = {key: value for key, value in os.environ.items() if key not in own}

    # -- units and jobs ----------------------------------------------------------------------------------------------

    def unit(self, name: str) -> Unit:
        """The unit of that name, read from its files at first use. Raises NoSuchUnitError."""
        name = full_name(name)
        if name not in self._units:
            self._units[name] = Unit(name, read_unit(name, self._folders), self)
        return self._units[name]

    def units(self) -> list[Unit]:
        """Every unit that was used since the boot."""
        return sorted(self._units.values(), key=lambda unit: unit.name)

    def add_transient(self, name: str, sections: Sections) -> Unit:
        """A unit without a file; its name must be free."""
        unit = self._units[name] = Unit(name, sections, self)
        unit.transient = True
        return unit

    def reload(self) -> None:
        """Read all unit files again."""
        for name, unit in list(self._units.items()):
            if unit.transient:
                continue
            try:
                unit.sections = read_unit(name, self._folders)
            except NoSuchUnitError:
                if unit.active in ("inactive", "failed"):
                    del self._units[name]

    def start(self, name: str, done: Callable[[], None] | None = None) -> None:
        """Queue a start of the unit and of what it wants. Raises NoSuchUnitError."""
        unit = self.unit(name)
        for wanted in (*unit.references("Requires"), *unit.references("Wants")):
            if wanted not in self._jobs:
                with contextlib.suppress(NoSuchUnitError):
                    if self.unit(wanted).active in ("inactive", "failed"):
                        self.start(wanted)
        self._queue(unit, "start", done)

    def stop(self, name: str, done: Callable[[], None] | None = None) -> None:
        """Queue a stop of the unit and of what requires it. Raises NoSuchUnitError."""
        unit = self.unit(name)
        for other in self.units():
            if unit.name in other.references("Requires") and other.active == "active" and other.name not in self._jobs:
                self.stop(other.name)
        self._queue(unit, "stop", done)

    def restart(self, name: str, done: Callable[[], None] | None = None) -> None:
        """Queue a stop and, after it, a start. Raises NoSuchUnitError."""
        self.stop(name, lambda: self.start(name, done))

    def is_loaded(self, name: str) -> bool:
        """Whether the name is taken, by a unit in memory or by a file."""
        try:
            self.unit(name)
        except NoSuchUnitError:
            return False
        return True

    def request_start(self, name: str) -> None:
        """Start a unit again after its RestartSec."""
        if not self._shutdown:
            self.start(name)

    def _queue(self, unit: Unit, kind: str, done: Callable[[], None] | None) -> None:
        job = self._jobs.get(unit.name)
        settled = unit.active == "active" if kind == "start" else unit.active in ("inactive", "failed")
        if job is None and settled:
            unit.cancel_restart()
            if done:
                done()
            return
        if job is None or job.kind != kind:
            waiters = job.waiters if job else []
            job = self._jobs[unit.name] = Job(kind)
            job.waiters = waiters
        if done:
            job.waiters.append(done)

    def run_jobs(self) -> None:
        """Begin every queued job whose predecessors in the same transaction are over."""
        progress = True
        while progress:
            progress = False
            for name, job in list(self._jobs.items()):
                if job.running or name not in self._jobs or self._is_blocked(name, job):
                    continue
                job.running = progress = True
                unit = self._units[name]
                if job.kind == "start":
                    self._begin_start(unit)
                else:
                    unit.stop()
            if not progress and self._jobs and not any(job.running for job in self._jobs.values()):
                progress = self._break_cycle()

    def _break_cycle(self) -> bool:
        """Units that wait for each other: drop the order of the first, as systemd does."""
        if any(unit.active in ("activating", "deactivating") for unit in self._units.values()):
            return False
        name, job = next(iter(self._jobs.items()))
        self.log(self._units[name], "Found ordering cycle, ignoring the order of this unit.")
        job.running = True
        if job.kind == "start":
            self._begin_start(self._units[name])
        else:
            self._units[name].stop()
        return True

    def _begin_start(self, unit: Unit) -> None:
        for required in unit.references("Requires"):
            other = self._units.get(required)
            if other is None or other.result != "success":
                self.log(unit, f"Dependency failed for {unit.description}.")
                unit.result = "dependency"
                self.settled(unit)
                return
        if unit.active in ("active", "activating"):
            self.settled(unit)
        else:
            unit.start()

    def _is_blocked(self, name: str, job: Job) -> bool:
        unit = self._units[name]
        if unit.active == "deactivating" and job.kind == "start":
            return True
        return any(
            self._comes_before(other, unit) if job.kind == "start" else self._comes_before(unit, other)
            for other in (self._units[key] for key, queued in self._jobs.items() if key != name)
            if self._jobs[other.name].kind == job.kind
        )

    @staticmethod
    def _comes_before(first: Unit, second: Unit) -> bool:
        if second.kind == "target" and first.name in second.references("Wants"):
            return True
        return first.name in second.references("After") or second.name in first.references("Before")

    def settled(self, unit: Unit) -> None:
        """A start or stop is over: tell who waits."""
        job = self._jobs.get(unit.name)
        if job and job.running:
            del self._jobs[unit.name]
            for waiter in job.waiters:
                waiter()
        if unit.transient and unit.active in ("inactive", "failed") and unit.name not in self._jobs:
            if unit.active == "inactive" or unit.collect:
                self._units.pop(unit.name, None)
            for waiter in unit.end_waiters:
                waiter()

    # -- processes -------------------------------------------------------------------------------------------------

    def spawn(self, unit: Unit, argv: list[str], environment: dict[str, str], folder: str) -> int:
        """Start a process in its own session, its output appended to the unit's journal."""
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
                    signal.signal(number, signal.SIG_DFL)
                log = os.open(journal_path(unit.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                null = os.open("/dev/null", os.O_RDONLY)
                os.dup2(null, 0)
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.chdir(folder)
                os.execvpe(argv[0], argv, {**self._environment, **environment})  # noqa: S606
            except BaseException as error:  # noqa: BLE001 - nothing of the manager may run in the child
                os.write(2, f"Failed to execute {argv[0]}: {error}\n".encode())
            os._exit(203)
        self._processes[pid] = unit
        return pid

    def signal_tree(self, leader: int, number: int, *, alone: bool = False) -> None:
        """Signal a process and, unless it is meant `alone`, its session and its descendants."""
        members, parents = {leader}, {} if alone else _read_processes()
        for pid, (_, session) in parents.items():
            if session == leader:
                members.add(pid)
        grown = True
        while grown:
            more = {pid for pid, (parent, _) in parents.items() if parent in members and pid not in members}
            members |= more
            grown = bool(more)
        for pid in members - {1}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def reap(self) -> None:
        """Collect every process that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            unit = self._processes.pop(pid, None)
            if unit is not None:
                unit.process_ended(pid, os.waitstatus_to_exitcode(status))

    def notified(self, pid: int) -> None:
        """Process `pid` says READY=1."""
        parents = _read_processes()
        while pid not in self._processes and pid in parents:
            pid = parents[pid][0]
        if pid in self._processes:
            self._processes[pid].is_ready()

    def after(self, delay_seconds: float, action: Callable[[], None]) -> None:
        """Call `action` from the main loop later."""
        self._timers.append((time.monotonic() + delay_seconds, action))

    def run_timers(self) -> int:
        """Call what is due; return the milliseconds until the next, -1 for none."""
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for _, action in due:
            action()
        return min((int((moment - now) * 1000) + 1 for moment, _ in self._timers), default=-1)

    # -- the end -----------------------------------------------------------------------------------------------------

    def shut_down(self, code: int, *, force: bool = False) -> None:
        """Stop all units in order, then end with `code`; with `force` end without stopping them."""
        if force:
            os._exit(code)
        if self._shutdown:
            return
        self._shutdown = code
        self._jobs.clear()
        for unit in self.units():
            if unit.kind not in ("target", "mount"):
                self._queue(unit, "stop", None)

    def is_down(self) -> int:
        """Exit code once everything is stopped after `shut_down`, else 0."""
        return 0 if self._jobs else self._shutdown

    def log(self, unit: Unit, text: str) -> None:
        """Append a line of systemd's own to the unit's journal."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open(journal_path(unit.name), "a") as file:
            file.write(f"{stamp} systemd[1]: {unit.name}: {text}\n")


def journal_path(name: str) -> str:
    """File that holds the journal of a unit."""
    return f"{LOGS}/{name.removesuffix('.service')}.log"


def _read_processes() -> dict[int, tuple[int, int]]:
    """Parent and session of every process of the node."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
                found[int(entry)] = (int(fields[1]), int(fields[3]))
    return found
