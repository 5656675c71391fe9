"""Figures: from samples to the row that is printed."""

from __future__ import annotations

from tools.bench.__main__ import COLUMNS, format_markdown, row_of
from tools.bench.measure import Figure, compare_calls, compare_processes

FIGURE = Figure("get", "bare GET", "ms", (3.0, 1.0, 2.0), (1.0, 1.0, 4.0))


def test_a_row_holds_medians_and_their_ratio() -> None:
    assert row_of(FIGURE) == ("get", "2.00 ms", "2.90 ms", "bare GET", "1.00 ms", "2.00")


def test_a_row_without_a_floor_compares_nothing() -> None:
    assert row_of(Figure("get", "", "ms", (1.0, 2.0))) == ("get", "1.50 ms", "1.95 ms", "-", "-", "-")


def test_markdown_has_a_head_and_a_line_for_each_figure() -> None:
    lines = format_markdown([row_of(FIGURE)]).splitlines()
    assert [line.count("|") for line in lines] == [len(COLUMNS) + 1] * 3
    assert lines[0].startswith("| what | median |")


def test_calls_are_compared_after_the_warm_up() -> None:
    seen: list[str] = []
    figure = compare_calls("a", lambda: seen.append("a"), "b", lambda: seen.append("b"), runs=3, warm_up=2)
    assert "".join(seen) == "ab" * 5
    assert (len(figure.samples), len(figure.floor_samples)) == (3, 3)


def test_processes_are_compared_in_time_and_memory() -> None:
    time, memory = compare_processes("list", "x = [0] * 10_000_000", "nothing", "pass", runs=2)
    assert (time.unit, memory.unit) == ("ms", "MiB")
    assert 60 < memory.median - memory.floor_median < 100
