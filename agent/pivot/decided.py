"""An automatic rollback that the operator has decided on and not carried out yet, kept on disk.

Between the decision and the reboot the failed status is written to the API; whoever is killed in between finds here
what is left to do. The file belongs to one boot: a node that comes back into the new release is not sent away again
without a new reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.pivot.completion import STATE_DIRECTORY
from agent.pivot.returns import find_departure
from hostops import files
from hostops.bootid import read_boot_id
from hostops.hostroot import HostRoot

MARK = f"{STATE_DIRECTORY}/rollback_decided.json"


@dataclass(frozen=True, slots=True)
class DecidedRollback:
    """`message` is what the original release shows after the rollback, `detail` what shows when there is none.

    `returned`: the rollback has taken place, or its reboot at least, and the new release is booted all the same.
    """

    message: str
    detail: str
    returned: bool = False


class RollbackDecision:
    """The decision of the booted stateroot."""

    def __init__(self, root: HostRoot) -> None:
        self._root = root
        self._path = root.path(MARK)

    def write(self, message: str, detail: str) -> None:
        """Decide. Raises OSError."""
        mark = {"bootId": read_boot_id(self._root), "message": message, "detail": detail}
        files.write_json(self._path, mark)

    def read(self) -> DecidedRollback | None:
        """Return the decision; None when there is none, or it can not be read. Raises OSError."""
        try:
            mark = files.read_json(self._path)
            decided = DecidedRollback(str(mark["message"]), str(mark["detail"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        departure = find_departure(self._root)
        if departure is not None and departure.boot_id == mark.get("bootId"):
            return DecidedRollback(decided.message, decided.detail, returned=True)
        return decided

    def remove(self) -> None:
        """Forget it; absence is fine. Raises OSError."""
        files.remove_durably(self._path)
