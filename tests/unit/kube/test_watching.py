"""A watch and what its connection may deliver while it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import urllib3

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
