"""How far the pulls are: the file from which the operator tells the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hostops import files

PROGRESS_FILE = "/var/lib/lca/workspace/precache_status.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """Counters of images; `failed` keeps the order of failure."""

    total: int
    pulled: int = 0
    failed: tuple[str, ...] = ()

    def with_pulled(self) -> Progress:
        """Count one more image as there."""
        return replace(self, pulled=self.pulled + 1)

    def with_failed(self, image: str) -> Progress:
        """Count `image` as failed."""
        return replace(self, failed=(*self.failed, image))

    def with_recovered(self, image: str) -> Progress:
        """Count a failed image as there after all."""
        return replace(self, pulled=self.pulled + 1, failed=tuple(name for name in self.failed if name != image))

    def write(self, path: Path) -> None:
        """Replace the progress file; an empty list of failures is null (prep.md 9.4). Raises OSError.

        A reboot ends the pulls, so the file is whole at any time but need not survive a power loss.
        """
        failures = list(self.failed) or None
        counters = {"total": self.total, "pulled": self.pulled, "failed": len(self.failed), "failed_pulls": failures}
        files.write_json(path, counters, durable=False)
