"""What recert left behind: whether it has run, and how that ended (post-pivot-and-rollback.md 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import yaml

_TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class NotRun:
    """There is no summary: recert has not run to its end."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """recert has done its work."""


@dataclass(frozen=True, slots=True)
class FailedBefore:
    """recert has failed; `reason` may be empty."""

    reason: str


Verdict: TypeAlias = NotRun | Succeeded | FailedBefore


def judge_summary(summary: bytes | None, *, ours: bool) -> Verdict:
    """Judge the summary file's content, None when there is no file.

    recert writes it at the end of every run, good or bad. `ours` says that a run of ours began after there was none and
    did not report a failure: otherwise the file proves nothing good.
    """
    if summary is None:
        return NotRun()
    try:
        content = yaml.load(summary, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
    except yaml.YAMLError:
        return FailedBefore("the summary is not valid YAML")
    if not isinstance(content, dict):
        return FailedBefore("the summary is no YAML mapping")
    if content.get("error"):
        return FailedBefore(str(content["error"])[:_TEXT_LIMIT])
    return Succeeded() if ours else FailedBefore("")
