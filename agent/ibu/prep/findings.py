"""What a validation found: problems stop Prep, warnings are shown and do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WARNING_CHARACTERS = 32 * 1024
"""An object holds 256 KiB of annotations in all."""

KEPT_CHARACTERS = 64 * 1024
"""More than a condition or the annotation can show."""


@dataclass(slots=True)
class Findings:
    """Texts in the order in which they were found."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, prefix: str, problems: Iterable[str]) -> None:
        """Append problems, each below what was being validated."""
        self.problems += [f"{prefix}{problem}" for problem in problems]


@dataclass(slots=True)
class BoundedTexts:
    """Texts of which only as many are kept as can be shown; of the others it is known how many there were."""

    kept: list[str] = field(default_factory=list)
    dropped: int = 0

    def add(self, text: str) -> None:
        """Keep or count a text."""
        if self.kept and sum(map(len, self.kept)) + len(text) > KEPT_CHARACTERS:
            self.dropped += 1
        else:
            self.kept.append(text)

    def list_with_rest(self) -> list[str]:
        """Return the texts that are kept, and one that counts the others."""
        return [*self.kept, f"and {self.dropped} more"] if self.dropped else self.kept


def join_bounded(texts: Sequence[str], limit: int = WARNING_CHARACTERS) -> str:
    """Join texts by `; `; those beyond `limit` characters are only counted."""
    shown: list[str] = []
    length = 0
    for text in texts:
        length += len(text) + 2
        if shown and length > limit:
            return "; ".join([*shown, f"and {len(texts) - len(shown)} more"])
        shown.append(text[:limit])
    return "; ".join(shown)
