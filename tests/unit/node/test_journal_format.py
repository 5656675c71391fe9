import logging
import sys

import pytest

from agent.node.logs import JournalFormatter


def render(level, text, **extra):
    record = logging.makeLogRecord({"name": "x", "levelno": level, "levelname": logging.getLevelName(level), **extra})
    record.msg, record.created = text, 1767225600.5
    return JournalFormatter().format(record)


@pytest.mark.parametrize(
    ("level", "word"),
    [(logging.INFO, "info"), (logging.WARNING, "warning"), (logging.ERROR, "error"), (logging.CRITICAL, "fatal")],
)
def test_line_has_the_form_of_the_original(level, word):
    assert render(level, 'Say "it"') == f'time="2026-01-01 00:00:00" level={word} msg="Say \\"it\\""'


def test_line_carries_further_fields():
    assert render(logging.INFO, "done", step="a", seconds=1.5).endswith(' msg="done" step="a" seconds=1.5')


def test_traceback_stands_below():
    try:
        raise ValueError("why")
    except ValueError:
        text = render(logging.ERROR, "unexpected error", exc_info=sys.exc_info())
    assert text.splitlines()[0] == 'time="2026-01-01 00:00:00" level=error msg="unexpected error"'
    assert text.splitlines()[-1] == "ValueError: why"
