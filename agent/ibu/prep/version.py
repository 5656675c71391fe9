"""Release versions: parsing, order, and the rule that the seed must be newer than the cluster (prep.md 4.1).

The texts are those users and fleet tools know; `int()` is not used on its own because it accepts blanks, underscores
and non-ASCII digits that a version may not contain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

_IDENTIFIERS = re.compile(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64_MAX = 2**63 - 1


class VersionError(ValueError):
    """The text is not a version; the message says which part is wrong."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """`major.minor.patch[-pre_release]`; build metadata takes no part in order or equality."""

    numbers: tuple[int, int, int]
    pre_release: tuple[str, ...]

    def __lt__(self, other: Version) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[object, ...]:
        # No pre-release is newer than any; numeric identifiers are older than text ones.
        identifiers = tuple((0, int(i), "") if i.isdigit() else (1, 0, i) for i in self.pre_release)
        return self.numbers, not self.pre_release, identifiers


def parse_version(text: str) -> Version:
    """Parse a release version.

    Raises VersionError with the reason, e.g. ` is not in dotted-tri format` for an empty text.
    """
    rest, has_metadata, metadata = text.partition("+")
    rest, has_pre_release, pre_release = rest.partition("-")
    parts = rest.split(".")
    if len(parts) != 3:
        raise VersionError(f"{rest} is not in dotted-tri format")
    if has_pre_release and not _IDENTIFIERS.fullmatch(pre_release):
        raise VersionError(f"failed to validate pre-release: {pre_release} is not a valid semver identifier")
    if has_metadata and not _IDENTIFIERS.fullmatch(metadata):
        raise VersionError(f"failed to validate metadata: {metadata} is not a valid semver identifier")
    major, minor, patch = (_parse_number(part) for part in parts)
    return Version((major, minor, patch), tuple(pre_release.split(".")) if has_pre_release else ())


def _parse_number(part: str) -> int:
    if not _INTEGER.fullmatch(part):
        raise VersionError(f'strconv.ParseInt: parsing "{part}": invalid syntax')
    number = int(part)
    if abs(number) > _INT64_MAX:
        raise VersionError(f'strconv.ParseInt: parsing "{part}": value out of range')
    return number


def check_seed_version(seed: str, current: str) -> str | None:
    """Return why the seed's version does not fit the cluster's current one, or None when it does."""
    try:
        current_version = parse_version(current)
    except VersionError as error:
        return f"failed to parse target version {current}: {error}"
    try:
        seed_version = parse_version(seed)
    except VersionError as error:
        return f"failed to parse seed version {seed}: {error}"
    if seed_version <= current_version:
        return f"seed OCP version ({seed}) must be higher than current OCP version ({current})"
    return None


def list_policy_versions(seed: str) -> tuple[str, ...]:
    """Return the label values that select manifests for `seed`: `M.m.p`, `M.m` and the full text (prep.md 4.5).

    Raises VersionError.
    """
    major, minor, patch = parse_version(seed).numbers
    candidates = (f"{major}.{minor}.{patch}", f"{major}.{minor}", seed)
    return tuple(dict.fromkeys(candidates))
