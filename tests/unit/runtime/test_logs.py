"""Log lines: one per record, fields readable by machines, no secret in any of them."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from agent.runtime.logs import JsonFormatter, LogFormat, TextFormatter, configure_logging, mask_secrets
from agent.runtime.settings import ProcessSettings, load_settings


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kopf = ("kopf", "kopf._core.reactor.running", "kopf._core.reactor.orchestration", "kopf.activities")
    levels = {name: logging.getLogger(name).level for name in (*kopf, "asyncio", "urllib3")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def write(log_format: LogFormat, message: str, **fields: object) -> str:
    stream = io.StringIO()
    configure_logging(log_format, "info", stream)
    logging.getLogger("agent.x").info(message, extra=fields)
    return stream.getvalue().rstrip("\n")


def test_text_line_has_time_level_logger_message_and_fields() -> None:
    line = write("text", "stage started", stage="Prep", details="two words", count=3)
    assert line.split(" ", 1)[1] == 'INFO agent.x: stage started stage=Prep details="two words" count=3'


def test_json_line_has_all_fields_with_their_types() -> None:
    record = json.loads(write("json", "stage started", stage="Prep", count=3))
    assert record.pop("time").endswith("Z")
    assert record == {"level": "info", "logger": "agent.x", "message": "stage started", "stage": "Prep", "count": 3}


def test_traceback_is_written_once_and_masked() -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream)
    try:
        raise ValueError("password=hunter22")
    except ValueError:
        logging.getLogger("agent.x").exception("broke")
    assert stream.getvalue().count("Traceback") == 1
    assert "hunter22" not in stream.getvalue()


@pytest.mark.parametrize(("traceback_level", "shown"), [("debug", True), ("error", True), ("critical", False)])
def test_traceback_below_its_level_is_left_out(traceback_level: str, shown: bool) -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream, traceback_level=traceback_level)
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("agent.x").exception("broke")
    assert ("Traceback" in stream.getvalue()) is shown


@pytest.mark.parametrize(
    ("time_format", "pattern"),
    [
        ("iso8601", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
        ("rfc3339", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ("rfc3339nano", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
        ("epoch", r"\d{10}\.\d+"),
        ("millis", r"\d{13}\.\d+"),
        ("nano", r"\d{19}"),
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_time_is_written_in_the_form_asked_for(log_format: LogFormat, time_format: str, pattern: str) -> None:
    stream = io.StringIO()
    configure_logging(log_format, "info", stream, time_format=time_format)
    logging.getLogger("agent.x").info("now")
    line = stream.getvalue()
    assert re.fullmatch(pattern, str(json.loads(line)["time"]) if log_format == "json" else line.split()[0])


@pytest.mark.parametrize(
    ("flags", "log_format", "level"),
    [
        ({}, "text", "INFO"),
        ({"zap_devel": "true"}, "text", "DEBUG"),
        ({"zap_devel": "false"}, "json", "INFO"),
        ({"zap_devel": "true", "log_level": "error", "log_format": "json"}, "json", "ERROR"),
        ({"log_format": "console", "log_level": "5"}, "text", "DEBUG"),
    ],
)
def test_settings_for_development_choose_what_is_not_given(
    flags: dict[str, str], log_format: LogFormat, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    load_settings(ProcessSettings, **flags).configure_logging()
    (handler,) = logging.getLogger().handlers
    formatter = {"text": TextFormatter, "json": JsonFormatter}[log_format]
    assert isinstance(handler.formatter, formatter)
    assert logging.getLevelName(logging.getLogger().level) == level


def test_kopf_below_warning_is_not_logged() -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream)
    logging.getLogger("kopf.activities").info("Initial authentication has been initiated.")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer sha256~abcdefghijk", "Authorization: Bearer ***"),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2ln", "got ***"),
        ("pull https://user:s3cret@registry/x", "pull https://user:***@registry/x"),
        ('{"auth": "dXNlcjpwYXNz"}', '{"auth": "***"}'),
        ("password=hunter22 next", "password=*** next"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA", "-----BEGIN RSA PRIVATE KEY-----***-----END RSA"),
        ("failed to read secret openshift-config/pull-secret", "failed to read secret openshift-config/pull-secret"),
        ("no token given", "no token given"),
    ],
)
def test_mask_secrets_hides_credentials_and_nothing_else(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked
