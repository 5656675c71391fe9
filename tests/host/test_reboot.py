from datetime import UTC, datetime, timedelta

import pytest

from hostops import files
from hostops.reboot import MARK, Rebooter, reboot_argv
from hostops.runner import CommandError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def rebooter(node):
    node.root.path(MARK).parent.mkdir(parents=True)
    return Rebooter(node.runner, node.root)


def requests(node):
    return [command for command in node.commands() if command[0] == "systemd-run"]


def test_reboot_argv_keeps_the_quotes_in_the_arguments():
    assert reboot_argv("rollback") == (
        *("systemd-run", "--unit", "lifecycle-agent-reboot", "--description", '"lifecycle-agent: rollback"'),
        *("--collect", "systemctl", '--message="Image Based Upgrade"', "reboot"),
    )


def test_request_is_sent_once_and_remembered(node, rebooter):
    first = rebooter.request("upgrade", NOW)
    assert rebooter.request("upgrade", NOW + timedelta(minutes=1)) == first
    assert rebooter.pending() == first
    assert requests(node) == [list(reboot_argv("upgrade"))]


def test_request_that_fails_is_forgotten(node, rebooter):
    node.break_command("systemd-run --unit", "echo broken; exit 1")
    with pytest.raises(CommandError, match=r"^broken\n: exit status 1$"):
        rebooter.request("upgrade", NOW)
    assert rebooter.pending() is None
    assert not node.root.path(MARK).exists()


def test_request_of_an_earlier_boot_does_not_count(node, rebooter):
    rebooter.request("upgrade", NOW)
    mark = node.root.path(MARK)
    files.write_json(mark, {**files.read_json(mark), "bootId": "another"})
    assert rebooter.pending() is None


def test_request_after_a_kill_before_acceptance_was_noted_finds_the_unit_there(node, rebooter):
    rebooter.request("upgrade", NOW)
    mark = files.read_json(node.root.path(MARK))
    files.write_json(node.root.path(MARK), {key: mark[key] for key in mark if key != "accepted"})
    node.break_command("systemd-run --unit", "echo Unit lifecycle-agent-reboot.service was already loaded; exit 1")
    rebooter.request("upgrade", NOW)
    assert rebooter.pending() is not None


def test_pending_with_a_damaged_mark_is_none(node, rebooter):
    node.root.path(MARK).write_bytes(b"\0half")
    assert rebooter.pending() is None


def test_pending_for_an_hour_is_overdue(rebooter):
    request = rebooter.request("upgrade", NOW)
    assert not request.is_overdue(NOW + timedelta(minutes=60))
    assert request.is_overdue(NOW + timedelta(minutes=60, seconds=1))


@pytest.mark.parametrize("minutes", [0, 1, 59, 60, 61])
def test_time_left_ends_when_the_request_is_overdue(rebooter, minutes):
    request, now = rebooter.request("upgrade", NOW), NOW + timedelta(minutes=minutes)
    left = request.time_left(now)
    assert request.is_overdue(now + left)
    assert left == max(timedelta(0), timedelta(minutes=60 - minutes, seconds=1))


def test_withdrawn_request_may_be_made_again(node, rebooter):
    rebooter.request("upgrade", NOW)
    rebooter.withdraw()
    rebooter.withdraw()
    assert rebooter.pending() is None
    assert rebooter.request("upgrade", NOW + timedelta(hours=2)).requested_at == NOW + timedelta(hours=2)
    assert len(requests(node)) == 2
