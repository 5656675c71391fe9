"""`python -m tools.fault_table FILE...`: the table of docs/reliability.md from JUnit reports of the fault tests.

    pytest -m '' tests/flow/{prep,pivot}/test_kill.py tests/flow/upgrade/test_faults.py --junitxml=faults.xml

A cell tells the end that the test has seen and checked; a failed test stands as FAILED.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

COLUMNS = ("killed before the step", "killed after it", "power lost after it")
_FORMS = (
    (re.compile(r"\[(?P<step>[a-z-]+/\w+)/before\]"), 0),
    (re.compile(r"\[(?P<step>[a-z-]+/\w+)/after\]"), 1),
    (re.compile(r"\[kill-agent-at (?P<step>\S+)\]"), 1),
    (re.compile(r"\[power-loss-at (?P<step>\S+)\]"), 2),
    (re.compile(r"\[step (?P<step>\w+)\]"), 0),
    (re.compile(r"\[step (?P<step>\w+) ended\]"), 1),
    (re.compile(r"loses_power\w*\[(?P<step>\w+)\]"), 2),
)
_CONFIGURATION = "configure-node"
"""Whose steps the tests of the program after the pivot name without their itinerary."""

DEFAULT_END = "same end"


class Cell(NamedTuple):
    """What became of the work when the fault came at a step."""

    step: str
    column: int
    end: str


def read_cells(cases: Iterable[ET.Element]) -> Iterator[Cell]:
    """Yield a cell for each test that is about a point of an itinerary."""
    for case in cases:
        name = case.get("name", "")
        for form, column in _FORMS:
            if match := form.search(name):
                step = match["step"] if "/" in match["step"] else f"{_CONFIGURATION}/{match['step']}"
                yield Cell(step, column, _read_end(case))


def _read_end(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "FAILED"
    told = [each.get("value", "") for each in case.iter("property") if each.get("name") == "end"]
    return told[0] if told else DEFAULT_END


def format_table(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield the lines of the table: a row for adjacent steps of an itinerary that came to the same ends."""
    ends: dict[str, list[str]] = {}
    for cell in cells:
        ends.setdefault(cell.step, [""] * len(COLUMNS))[cell.column] = cell.end
    yield f"| itinerary | steps | {' | '.join(COLUMNS)} |"
    yield "|---" * (2 + len(COLUMNS)) + "|"
    for (itinerary, row), steps in groupby(ends, key=lambda step: (step.partition("/")[0], ends[step])):
        names = ", ".join(f"`{step.partition('/')[2]}`" for step in steps)
        yield f"| {itinerary} | {names} | {' | '.join(row)} |"


def main(paths: list[str]) -> None:
    """Print the table of all reports."""
    cases = (case for path in paths for case in ET.parse(path).iter("testcase"))  # noqa: S314  our own reports
    print("\n".join(format_table(read_cells(cases))))


if __name__ == "__main__":
    main(sys.argv[1:])
