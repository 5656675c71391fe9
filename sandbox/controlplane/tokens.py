"""Users known by a static token. The API server reads the file when it starts."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Sequence
from pathlib import Path

from sandbox.controlplane.pki import write_private


class TokenFile:
    """The CSV file `token,user,uid,"group,group"`; a user keeps its token for ever."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ensure(self, user: str, groups: Sequence[str]) -> str:
        """The token of the user, who is in exactly these groups from the next start of the API server on."""
        rows = self._read()
        known = next((row for row in rows if row[1] == user), None)
        token = known[0] if known else secrets.token_urlsafe(32)
        wanted = [token, user, user, ",".join(groups)]
        if known != wanted:
            text = io.StringIO()
            csv.writer(text).writerows([*(row for row in rows if row[1] != user), wanted])
            write_private(self.path, text.getvalue().encode())
        return token

    def find(self, user: str) -> str | None:
        """The token of a user, None for an unknown one."""
        return next((row[0] for row in self._read() if row[1] == user), None)

    def _read(self) -> list[list[str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.reader(file))
