"""Asking for the reboot, once, and remembering that it was asked for.

The request survives the death of whoever asked: nobody has to wait for the end of the machine, a restarted agent sees
that the reboot is under way, and a reboot that does not come is noticed by its age.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hostops import files
from hostops.bootid import read_boot_id
from hostops.hostroot import HostRoot
from hostops.runner import CommandError, Runner

MARK = "/var/lib/lca/reboot_requested.json"
UNIT = "lifecycle-agent-reboot"
PATIENCE = timedelta(minutes=60)
OVERDUE = "failed to reboot. This should never happen! Please check the system"
"""Text for a reboot that did not come within `PATIENCE` (ibu-api.md 7.8)."""


@dataclass(frozen=True, slots=True)
class RebootRequest:
    """A reboot asked for in the running boot."""

    rationale: str
    requested_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Say whether the node should long be gone; `now` must be aware of its zone."""
        return now - self.requested_at > PATIENCE

    def time_left(self, now: datetime) -> timedelta:
        """Return how long from `now` until the request is overdue, at least zero."""
        return max(timedelta(0), self.requested_at + PATIENCE - now + timedelta(seconds=1))


def reboot_argv(rationale: str, message: str = "Image Based Upgrade") -> tuple[str, ...]:
    """Return the reboot command; the double quotes are part of two arguments (ibu-api.md 7.8).

    The unit is collected also when it fails: else its name would be taken at the next try.
    """
    description = f'"lifecycle-agent: {rationale}"'
    return (
        "systemd-run",
        "--unit",
        UNIT,
        "--description",
        description,
        "--collect",
        "systemctl",
        f'--message="{message}"',
        "reboot",
    )


class Rebooter:
    """Requests a reboot of the host."""

    def __init__(self, runner: Runner, root: HostRoot) -> None:
        self._runner = runner
        self._root = root
        self._mark = root.path(MARK)

    def pending(self) -> RebootRequest | None:
        """Return the request that systemd accepted in the running boot, or None. Raises OSError."""
        mark = self._read_mark()
        if not mark.get("accepted"):
            return None
        return RebootRequest(str(mark["rationale"]), datetime.fromisoformat(str(mark["requestedAt"])))

    def request(self, rationale: str, now: datetime) -> RebootRequest:
        """Reboot through a transient unit, so that the end of our own container does not stop it.

        Returns when systemd has accepted; a request that is pending already is returned and not repeated.
        Raises CommandError (show it as `failed to reboot with systemd :<error>`) and OSError.
        """
        if pending := self.pending():
            return pending
        asked_before = bool(self._read_mark())
        mark = {"bootId": read_boot_id(self._root), "rationale": rationale, "requestedAt": now.isoformat()}
        files.write_json(self._mark, mark)
        try:
            self._runner.run(*reboot_argv(rationale))
        except CommandError as error:
            # Killed between systemd's acceptance and our note of it: the unit of the first try is still there.
            if not (asked_before and "already" in error.output):
                files.remove_durably(self._mark)
                raise
        files.write_json(self._mark, {**mark, "accepted": True})
        return RebootRequest(rationale, now)

    def withdraw(self) -> None:
        """Forget the request: the reboot has not come, and another one may be asked for. Raises OSError."""
        files.remove_durably(self._mark)

    def _read_mark(self) -> dict[str, object]:
        """Return the mark of the running boot; one of an earlier boot or a damaged one counts as none."""
        try:
            mark = files.read_json(self._mark)
        except (FileNotFoundError, ValueError):
            return {}
        if not isinstance(mark, dict) or mark.get("bootId") != read_boot_id(self._root):
            return {}
        return mark
