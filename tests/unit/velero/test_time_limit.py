"""The annotation for the time that a Backup may be without progress (upgrade-and-oadp.md, proposal 8)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.velero.time_limit import ANNOTATION, DEFAULT_LIMIT, TimeLimitError, format_duration, read_time_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("90m", timedelta(minutes=90)),
        ("4h30m", timedelta(hours=4, minutes=30)),
        ("1h0m5s", timedelta(hours=1, seconds=5)),
        ("0", None),
        ("0h", None),
        ("9999999h", None),
    ],
)
def test_read_time_limit_takes_durations(text: str, limit: timedelta | None) -> None:
    assert read_time_limit({ANNOTATION: text}) == limit


@pytest.mark.parametrize("annotations", [None, {}, {"other": "1h"}])
def test_read_time_limit_without_annotation_is_the_default(annotations: dict[str, str] | None) -> None:
    assert read_time_limit(annotations) == DEFAULT_LIMIT == timedelta(hours=2)
    assert read_time_limit(annotations, None) is None


@pytest.mark.parametrize("text", ["", "soon", "-1h", "1.5h", "2", "30m1h", "1h ", "\u0661h", "1" * 30 + "h"])
def test_read_time_limit_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(TimeLimitError, match="is not a duration such as 90m or 4h30m"):
        read_time_limit({ANNOTATION: text})


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (7200, "2h"), (5400, "1h30m"), (3601, "1h1s")])
def test_format_duration_leaves_out_what_is_zero(seconds: int, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text
