"""The wrappers of post-pivot-and-rollback.md 4."""

import pytest

from agent.node.command_errors import describe_command_error
from hostops.runner import CommandError


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (
            ("systemctl", "restart", "dnsmasq.service"),
            "failed executing systemctl restart [dnsmasq.service]: out: exit status 1",
        ),
        (
            ("systemctl", "enable", "kubelet", "--now"),
            "failed executing systemctl enable [kubelet --now]: out: exit status 1",
        ),
        (("bash", "-c", "a b"), "failed to run bash in host namespace with args [a b]: out: exit status 1"),
        (
            ("hostnamectl", "set-hostname", "n"),
            'failed to run "hostnamectl" in host namespace with args [set-hostname n]: out: exit status 1',
        ),
    ],
)
def test_failed_command_is_described_in_the_known_words(argv, text):
    assert describe_command_error(CommandError(argv, 1, "out", "exit status 1")) == text
