"""What a failed Job's log says in the condition."""

import pytest

from agent.ibu.prep.job_steps import find_cause


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("", ""),
        ("started\nno space left\n", "no space left"),
        ("run: tar\ntar: not in gzip format\n: exit status 2\n", "tar: not in gzip format: exit status 2"),
        ("x" * 2000, "x" * 1024),
    ],
)
def test_find_cause_is_the_last_line_that_says_something(log: str, cause: str) -> None:
    assert find_cause(log) == cause
