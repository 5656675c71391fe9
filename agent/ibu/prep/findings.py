"""What a validation found: problems stop Prep, warnings are shown and do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """Texts in the order in which they were found."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, prefix: str, problems: Iterable[str]) -> None:
        """Append problems, each below what was being validated."""
        self.problems += [f"{prefix}{problem}" for problem in problems]
