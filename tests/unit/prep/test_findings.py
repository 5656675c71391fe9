"""Findings are joined in bounded length."""

import pytest

from agent.ibu.prep.findings import Findings, join_bounded


def test_add_puts_the_prefix_before_each_problem() -> None:
    findings = Findings()
    findings.add("p: ", ["a", "b"])
    assert findings.problems == ["p: a", "p: b"]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        ([], ""),
        (["aaaa", "bbbb"], "aaaa; bbbb"),
        (["aaaa", "bbbb", "cccc", "dddd"], "aaaa; bbbb; and 2 more"),
        (["x" * 99], "x" * 12),
    ],
)
def test_join_bounded_counts_what_does_not_fit(texts: list[str], joined: str) -> None:
    assert join_bounded(texts, limit=12) == joined
