"""What a stateroot remembers of its departures and of a decided rollback: real files below a scratch root."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.pivot.decided import MARK as DECISION
from agent.pivot.decided import DecidedRollback, RollbackDecision
from agent.pivot.returns import Departure, find_departure, forget_departure, read_request
from hostops.hostroot import HostRoot
from hostops.reboot import MARK

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> HostRoot:
    for folder in ("var/lib/lca", "proc/sys/kernel/random"):
        (tmp_path / folder).mkdir(parents=True)
    root = HostRoot(tmp_path)
    boot(root, "boot-1")
    return root


def boot(root: HostRoot, boot_id: str) -> None:
    root.path("/proc/sys/kernel/random/boot_id").write_text(f"{boot_id}\n")


def request(root: HostRoot, boot_id: str = "boot-1", rationale: str = "upgrade") -> None:
    mark = {"bootId": boot_id, "rationale": rationale, "requestedAt": AT.isoformat()}
    root.path(MARK).write_text(json.dumps(mark))


def test_request_of_this_boot_is_no_departure_yet(root: HostRoot) -> None:
    request(root)
    assert find_departure(root) is None
    assert read_request(root) == Departure("boot-1", "upgrade", AT)


def test_request_of_an_earlier_boot_is_one(root: HostRoot) -> None:
    request(root)
    boot(root, "boot-2")
    assert find_departure(root) == Departure("boot-1", "upgrade", AT)


@pytest.mark.parametrize(
    "content", ["", "\0\0", "[]", '{"bootId": "x"}', '{"bootId":"x","rationale":"y","requestedAt":"z"}']
)
def test_damaged_request_is_none(root: HostRoot, content: str) -> None:
    root.path(MARK).write_text(content)
    assert find_departure(root) is None


def test_only_an_earlier_departure_is_forgotten(root: HostRoot) -> None:
    request(root)
    forget_departure(root)
    assert read_request(root)
    boot(root, "boot-2")
    forget_departure(root)
    forget_departure(root)
    assert read_request(root) is None


def test_decision_is_kept_over_a_power_loss(root: HostRoot) -> None:
    decision = RollbackDecision(root)
    assert decision.read() is None
    decision.write("Rollback due to x: e", "e")
    boot(root, "boot-2")
    assert decision.read() == DecidedRollback("Rollback due to x: e", "e", returned=False)


def test_decision_whose_reboot_led_back_here_has_returned(root: HostRoot) -> None:
    decision = RollbackDecision(root)
    decision.write("m", "d")
    request(root, "boot-1", "rollback")
    assert decision.read() == DecidedRollback("m", "d", returned=False)
    boot(root, "boot-2")
    assert decision.read() == DecidedRollback("m", "d", returned=True)
    decision.remove()
    decision.remove()
    assert decision.read() is None


def test_damaged_decision_is_none(root: HostRoot) -> None:
    root.path(DECISION).write_text("{")
    assert RollbackDecision(root).read() is None
