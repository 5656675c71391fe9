"""A watch and what its connection may deliver while it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import urllib3

from agent.kube.errors import WatchExpired
from agent.kube.retry import RetryPolicy
from agent.kube.watching import Watch


def make_line(version: int) -> bytes:
    event = {"type": "MODIFIED", "object": {"metadata": {"name": "a", "resourceVersion": str(version)}}}
    return json.dumps(event).encode() + b"\n"


class Connection:
    """Delivers a line, then, once it is shut down from elsewhere, the bytes below TLS."""

    def __init__(self) -> None:
        self.watch: Watch | None = None
        self.events: list[str] = []

    def stream(self, amt: int) -> Iterator[bytes]:
        yield make_line(7) + b'{"type":"MODI'
        assert self.watch is not None
        self.watch.stop()
        yield b"\xe2\xdc-C.\x83\xfc6\n" + make_line(8)

    def shutdown(self) -> None:
        self.events.append("shutdown")

    def close(self) -> None:
        self.events.append("close")


def test_what_arrives_after_the_stop_is_not_read() -> None:
    connection = Connection()
    watch = connection.watch = Watch(
        lambda version, seconds: cast("urllib3.BaseHTTPResponse", connection),
        resource_version="1",
        initial=(),
        timeout_seconds=60,
        policy=RetryPolicy(),
    )
    assert [event.object["metadata"]["resourceVersion"] for event in watch] == ["7"]
    assert watch.resource_version == "7"
    assert connection.events == ["shutdown", "close"]


def make_object(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name}}


class Line:
    """A connection that delivers one event."""

    def stream(self, amt: int) -> Iterator[bytes]:
        yield make_line(9)

    def shutdown(self) -> None: ...

    def close(self) -> None: ...


def test_server_without_history_back_to_its_first_list_is_asked_again() -> None:
    opened: list[str] = []

    def open_stream(version: str, seconds: float) -> urllib3.BaseHTTPResponse:
        opened.append(version)
        if len(opened) == 1:
            raise WatchExpired("too old resource version: 1 (5)")
        return cast("urllib3.BaseHTTPResponse", Line())

    watch = Watch(
        open_stream,
        resource_version="1",
        initial=[make_object("gone"), make_object("kept")],
        timeout_seconds=60,
        policy=RetryPolicy(),
        list_again=lambda: ([make_object("kept"), make_object("new")], "5"),
    )
    events = [(event.type, event.object["metadata"]["name"]) for event, _ in zip(watch, range(6), strict=False)]
    assert opened[:2] == ["1", "5"]
    assert events == [
        *[("ADDED", "gone"), ("ADDED", "kept")],
        *[("DELETED", "gone"), ("ADDED", "kept"), ("ADDED", "new")],
        ("MODIFIED", "a"),
    ]


def test_history_that_is_lost_later_is_told() -> None:
    opened: list[str] = []

    def open_stream(version: str, seconds: float) -> urllib3.BaseHTTPResponse:
        opened.append(version)
        if len(opened) == 2:
            raise WatchExpired("too old resource version: 9 (12)")
        return cast("urllib3.BaseHTTPResponse", Line())

    watch = Watch(
        open_stream,
        resource_version="1",
        initial=(),
        timeout_seconds=60,
        policy=RetryPolicy(),
        list_again=lambda: ([], "12"),
    )
    with pytest.raises(WatchExpired):
        list(watch)
    assert opened == ["1", "9"]
