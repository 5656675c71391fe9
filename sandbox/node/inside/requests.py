"""What process 1 answers to `systemctl` and `systemd-run`."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable

from sandbox.node.inside.manager import POWER_OFF, REBOOT, Manager
from sandbox.node.inside.unit import Unit
from sandbox.node.inside.unitfiles import NoSuchUnitError, full_name

COMMAND_FAULTS = "/sandbox/control/command-faults"

Answer = tuple[int, str, str]
"""Exit code, standard output, standard error."""

OK: Answer = (0, "", "")
Reply = Callable[[Answer], None]


def answer_request(manager: Manager, request: list[str], reply: Reply) -> None:
    """Carry out one request; `reply` is called once, now or when the job is over."""
    program, *arguments = request
    try:
        if program == "systemd-run":
            run_transient(manager, arguments, reply)
        else:
            control(manager, arguments, reply)
    except NoSuchUnitError as error:
        reply((5, "", f"Failed to {arguments[0]} unit: {error}\n"))
    except ValueError as error:
        reply((1, "", f"{program}: {error}\n"))


def control(manager: Manager, arguments: list[str], reply: Reply) -> None:
    """`systemctl VERB NAME...` without the verbs that only touch files."""
    options = [word for word in arguments if word.startswith("-")]
    verb, *names = [word for word in arguments if not word.startswith("-")] or ["list-units"]
    if verb in ("start", "stop", "restart", "try-restart", "reload-or-restart", "condrestart"):
        _change(manager, verb, names, reply, wait="--no-block" not in options)
    elif verb in ("reboot", "poweroff", "halt", "kexec"):
        _shut_down(manager, POWER_OFF if verb in ("poweroff", "halt") else REBOOT, options, reply)
    elif verb == "daemon-reload":
        manager.reload()
        reply(OK)
    elif verb == "reset-failed":
        for unit in manager.units():
            if unit.active == "failed" and (not names or unit.name in map(full_name, names)):
                unit.active = "inactive"
                unit.starts.clear()
        reply(OK)
    elif verb == "kill":
        number = next((word.split("=")[1] for word in options if word.startswith(("--signal=", "-s="))), "SIGTERM")
        for name in names:
            manager.unit(name).kill(signal.Signals[f"SIG{number.removeprefix('SIG')}"])
        reply(OK)
    else:
        reply(_query(manager, verb, names, options))


def _query(manager: Manager, verb: str, names: list[str], options: list[str]) -> Answer:
    if verb in ("is-active", "is-failed"):
        states = [_state(manager, name) for name in names]
        wanted = "active" if verb == "is-active" else "failed"
        text = "" if "-q" in options or "--quiet" in options else "".join(f"{state}\n" for state in states)
        return (0 if wanted in states else 3 if verb == "is-active" else 1), text, ""
    if verb == "is-system-running":
        degraded = any(unit.active == "failed" for unit in manager.units())
        return (1, "degraded\n", "") if degraded else (0, "running\n", "")
    if verb == "list-units":
        units = [unit for unit in manager.units() if "--failed" not in options or unit.active == "failed"]
        return 0, "".join(f"{u.name} loaded {u.active} {_sub_state(u)} {u.description}\n" for u in units), ""
    if verb == "show":
        return 0, "\n".join(_show(manager.unit(name), options) for name in names), ""
    if verb == "status":
        units = [manager.unit(name) for name in names]
        text = "".join(
            f"● {u.name} - {u.description}\n     Active: {u.active} ({_sub_state(u)})\n   Main PID: {u.main_pid}\n"
            for u in units
        )
        return (0 if all(u.active == "active" for u in units) else 3), text, ""
    return 1, "", f"Unknown command verb {verb}.\n"


def _state(manager: Manager, name: str) -> str:
    try:
        unit = manager.unit(name)
    except NoSuchUnitError:
        return "inactive"
    # Nobody starts a mount unit here: the boot has mounted everything.
    if unit.kind == "mount" and unit.active == "inactive":
        unit.start()
    return unit.active


def _sub_state(unit: Unit) -> str:
    if unit.active != "active":
        return {"inactive": "dead", "failed": "failed", "activating": "start"}.get(unit.active, "stop")
    if unit.kind in ("target", "mount"):
        return "active" if unit.kind == "target" else "mounted"
    return "running" if unit.main_pid else "exited"


def _show(unit: Unit, options: list[str]) -> str:
    properties = {
        "Id": unit.name,
        "Description": unit.description,
        "LoadState": "loaded",
        "ActiveState": unit.active,
        "SubState": _sub_state(unit),
        "Result": unit.result,
        "MainPID": str(unit.main_pid),
        "ExecMainStatus": str(unit.exit_code),
        "NRestarts": str(unit.restarts),
        "ActiveEnterTimestampMonotonic": str(int(unit.since * 1e6)),
    }
    wanted = [word.split("=", 1)[1] for word in options if word.startswith(("--property=", "-p="))]
    chosen = {key: value for key, value in properties.items() if not wanted or key in ",".join(wanted).split(",")}
    if "--value" in options:
        return "".join(f"{value}\n" for value in chosen.values())
    return "".join(f"{key}={value}\n" for key, value in chosen.items())


def _change(manager: Manager, verb: str, names: list[str], reply: Reply, *, wait: bool) -> None:
    units = [manager.unit(name) for name in names]
    if not units:
        raise ValueError("Too few arguments.")
    pending = {unit.name for unit in units}

    def is_done(unit: Unit) -> None:
        pending.discard(unit.name)
        if not pending and wait:
            reply(_outcome(verb, units))

    for unit in units:
        if verb == "start":
            unit.starts.clear()
            manager.start(unit.name, lambda unit=unit: is_done(unit))  # type: ignore[misc]
        elif verb == "stop":
            manager.stop(unit.name, lambda unit=unit: is_done(unit))  # type: ignore[misc]
        elif unit.active in ("inactive", "failed") and verb in ("try-restart", "condrestart"):
            is_done(unit)
        else:
            unit.starts.clear()
            manager.restart(unit.name, lambda unit=unit: is_done(unit))  # type: ignore[misc]
    if not wait:
        reply(OK)


def _outcome(verb: str, units: list[Unit]) -> Answer:
    if verb == "stop":
        return OK
    failed = [unit for unit in units if unit.result != "success"]
    text = "".join(
        f"Job for {unit.name} failed because of '{unit.result}'.\n"
        f'See "systemctl status {unit.name}" and "journalctl -u {unit.name}" for details.\n'
        for unit in failed
    )
    return (1 if failed else 0), "", text


def _shut_down(manager: Manager, code: int, options: list[str], reply: Reply) -> None:
    force = options.count("--force") + options.count("-f") + 2 * options.count("-ff")
    reply(OK)
    if not _hangs(forced=force > 0):
        manager.shut_down(code, force=force > 0)


def _hangs(*, forced: bool) -> bool:
    """The fault reboot-hangs: swallow the request; with the value `graceful` only those without --force."""
    if not os.path.exists(COMMAND_FAULTS):
        return False
    with open(COMMAND_FAULTS) as file:
        rules = [line.rstrip("\n").split("\t") for line in file]
    return any(rule[0] == "hang" and not (forced and rule[1] == "graceful") for rule in rules)


def run_transient(manager: Manager, arguments: list[str], reply: Reply) -> None:
    """`systemd-run OPTIONS COMMAND...`."""
    settings, flags, command = _parse_run(arguments)
    name = full_name(settings.pop("unit", f"run-u{os.urandom(4).hex()}"))
    if manager.is_loaded(name):
        text = f"Unit {name} was already loaded or has a fragment file."
        return reply((1, "", f"Failed to start transient service unit: {text}\n"))
    service = [("Type", "simple"), ("ExecStart", shlex.join(command))]
    service += [("Environment", shlex.quote(value)) for value in settings.pop("setenv", "").split("\n") if value]
    service += [
        (key, value) for key, _, value in (line.partition("=") for line in settings.pop("property", "").split("\n"))
    ]
    description = settings.pop("description", shlex.join(command))
    unit = manager.add_transient(name, {"Unit": [("Description", description)], "Service": service})
    unit.collect = "collect" in flags
    note = "" if "quiet" in flags else f"Running as unit: {name}\n"
    if "wait" in flags:
        unit.end_waiters.append(lambda: reply((unit.exit_code, "", note)))
        return manager.start(name)
    return manager.start(name, lambda: reply((0, "", note)))


def _parse_run(arguments: list[str]) -> tuple[dict[str, str], set[str], list[str]]:
    short = {"-p": "property", "-u": "unit", "-E": "setenv", "-G": "collect", "-q": "quiet"}
    takes_value = {"unit", "description", "property", "setenv", "service-type", "slice", "uid", "gid", "nice"}
    settings: dict[str, str] = {}
    flags: set[str] = set()
    words = list(arguments)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        option, equals, value = word.partition("=")
        option = short.get(option, option.removeprefix("--"))
        if option not in takes_value:
            flags.add(option)
            continue
        if not equals:
            if not words:
                raise ValueError(f"option '--{option}' requires an argument")
            value = words.pop(0)
        settings[option] = f"{settings[option]}\n{value}" if option in settings else value
    if not words:
        raise ValueError("Command line to execute required.")
    return settings, flags, words
