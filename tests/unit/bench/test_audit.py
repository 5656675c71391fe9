"""A reaction is divided into parts by the API server's audit log."""

from __future__ import annotations

import json

import pytest

from tools.bench.audit import Request, divide_reaction, read_requests


def make_record(user: str, verb: str, received: str, answered: str, stage: str = "ResponseComplete") -> str:
    target = {"resource": "imagebasedupgrades", "subresource": "status"}
    moments = {
        "requestReceivedTimestamp": f"2026-01-01T00:00:{received}Z",
        "stageTimestamp": f"2026-01-01T00:00:{answered}Z",
    }
    return json.dumps({"user": {"username": user}, "verb": verb, "stage": stage, "objectRef": target, **moments})


def test_answered_requests_are_read_in_their_order() -> None:
    lines = [
        make_record("b", "update", "02.000000", "02.500000"),
        make_record("b", "watch", "00.000000", "00.000000", stage="ResponseStarted"),
        make_record("a", "patch", "01.000000", "01.250000"),
    ]
    first, second = read_requests(lines)
    assert (first.user, first.verb, first.resource) == ("a", "patch", "imagebasedupgrades/status")
    assert second.answered - second.received == pytest.approx(0.5)


def test_the_parts_add_up_to_the_whole() -> None:
    requests = [
        Request("lca", "get", "pods", 0.5, 0.6),  # before
        Request("user", "patch", "imagebasedupgrades", 1.001, 1.004),
        Request("lca", "get", "nodes", 1.006, 1.007),
        Request("lca", "update", "imagebasedupgrades/status", 1.010, 1.016),  # seen before it was complete
    ]
    parts = divide_reaction(requests, "lca", 1.0, 1.015)
    assert list(parts.values()) == pytest.approx([4, 2, 6, 3, 0])
    assert sum(parts.values()) == pytest.approx(15)


def test_a_reaction_without_an_answer_is_none() -> None:
    with pytest.raises(ValueError, match="no patch and answer"):
        divide_reaction([Request("user", "patch", "imagebasedupgrades", 1.1, 1.2)], "lca", 1.0, 2.0)
