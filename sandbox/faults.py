"""Faults that a user injects into a sandbox, and how its parts learn of them.

`faults.json` maps the name of each active fault to its value ("" when it was given without one). The parts read it
when they are about to do what the fault concerns; nothing restarts. `command` and `command-delay` may be given several
times: their rules are kept one per line.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

from hostops.files import write_atomically

KNOWN: dict[str, str] = {
    "unhealthy-operator": "a ClusterOperator is not available; the value names it (authentication)",
    "never-healthy-after-pivot": "the operators of a new stateroot never become healthy",
    "postpivot-fails": "recert fails, hence the configuration after the pivot; the value is its message",
    "s3-down": "the S3 server outside the node refuses connections",
    "registry-down": "the container registry outside the node refuses connections",
    "backup-fails": "Velero backups fail partially; the value is a name pattern (*), `PATTERN:Failed`: wholly",
    "restore-fails": "Velero restores fail, likewise",
    "backup-hangs": "Velero backups stop half-way; the value is a name pattern (*)",
    "restore-hangs": "Velero restores stop half-way; the value is a name pattern (*)",
    "undeploy-fails": "`ostree admin undeploy` fails",
    "reboot-hangs": "a requested reboot never happens; with the value graceful only `systemctl reboot` without --force",
    "kill-agent-at": "the agent is killed (-9), once, just before a host command or at `step NAME` (`step NAME ended`)",
    "power-loss-at": "the node loses its power, once, at the same places",
    "command": "REGEX:CODE:OUTPUT: host commands matching the regex do not run, print and exit so; repeatable",
    "command-delay": "REGEX:SECONDS: host commands matching the regex start so much later; repeatable",
}
REPEATABLE = frozenset({"command", "command-delay"})
ONCE = frozenset({"kill-agent-at", "power-loss-at"})
"""They fire once for every time that one of them is set."""


class FaultError(ValueError):
    """An unknown fault or a malformed value; the text says what would be right."""


class Faults:
    """The faults of one sandbox, kept in the file `path`; safe for several processes with one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._faults: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        """All active faults by name."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._faults = None, {}
            return {}
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        if mark != self._seen:
            self._faults = json.loads(self._path.read_bytes())
            self._seen = mark
        return dict(self._faults)

    def active(self, name: str) -> str | None:
        """Value of the fault `name` ("" if given without one), None if it is not active."""
        if name not in KNOWN:
            raise FaultError(f"no fault is called {name}")
        return self.all().get(name)

    def set(self, name: str, value: str = "") -> None:
        """Inject a fault. Raises FaultError."""
        _check(name, value)
        faults = self.all()
        if name in REPEATABLE and faults.get(name):
            value = "\n".join([faults[name], value])
        if name in ONCE:
            self._path.with_name("command-faults.killed").unlink(missing_ok=True)
        self._write({**faults, name: value})

    def clear(self, name: str | None = None) -> None:
        """Take back one fault, or all."""
        self._write({key: value for key, value in self.all().items() if name is not None and key != name})

    def _write(self, faults: dict[str, str]) -> None:
        rules = self._path.with_name("command-faults")
        write_atomically(rules, _command_lines(faults), 0o644)
        write_atomically(self._path, json.dumps(faults, indent=1, sort_keys=True) + "\n", 0o644)


def _check(name: str, value: str) -> None:
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, 1)
        raise FaultError(f"no fault is called {name}; " + (f"did you mean {near[0]}?" if near else ", ".join(KNOWN)))
    if "\n" in value or "\t" in value:
        raise FaultError(f"{name}: the value may not contain tabs or line breaks")
    form = {"command": r"(?P<regex>.+?):(\d+)(:.*)?", "command-delay": r"(?P<regex>.+):(\d+(\.\d+)?)"}.get(name)
    if form is None:
        if name in ONCE and not value:
            raise FaultError(f"{name} needs a value: a regular expression over host commands and steps")
        return
    match = re.fullmatch(form, value)
    if match is None:
        raise FaultError(f"{name}={value}: expected {KNOWN[name].partition(': ')[0]}")
    try:
        re.compile(match["regex"])
    except re.error as error:
        raise FaultError(f"{name}={value}: bad regular expression: {error}") from error


def _command_lines(faults: dict[str, str]) -> str:
    """What the stand-ins read, one rule per line: `fail|delay|kill|power TAB regex TAB code or seconds TAB output`."""
    lines = []
    for rule in filter(None, faults.get("command", "").split("\n")):
        regex, code, output = re.fullmatch(r"(.+?):(\d+)(?::(.*))?", rule).groups("")  # type: ignore[union-attr]
        lines.append(f"fail\t{regex}\t{code}\t{output}")
    for rule in filter(None, faults.get("command-delay", "").split("\n")):
        regex, _, seconds = rule.rpartition(":")
        lines.append(f"delay\t{regex}\t{seconds}\t")
    if "undeploy-fails" in faults:
        lines.append("fail\t^ostree admin undeploy\t1\terror: " + (faults["undeploy-fails"] or "Input/output error"))
    if "reboot-hangs" in faults:
        lines.append(f"hang\t{faults['reboot-hangs'] or 'all'}\t\t")
    for name, kind in (("kill-agent-at", "kill"), ("power-loss-at", "power")):
        if regex := faults.get(name):
            lines.append(f"{kind}\t{regex}\t\t")
    return "".join(line + "\n" for line in lines)
