import pytest

from agent.node.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (45, "45s"),
        (60, "1m0s"),
        (90, "1m30s"),
        (300, "5m0s"),
        (1800, "30m0s"),
        (3600, "1h0m0s"),
        (3661, "1h1m1s"),
        (90000, "25h0m0s"),
    ],
)
def test_duration_is_written_as_go_does(seconds, text):
    assert format_duration(seconds) == text
