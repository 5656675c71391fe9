import pytest

from hostops.runner import CommandError
from hostops.systemd import Systemd, UnitError


def test_container_storage_target_of_a_mount_is_its_device(node):
    node.break_command(
        "systemctl cat", "printf '# x\\n[Mount]\\n What=/no\\nWhat=/dev/disk/by-partlabel/a=b\\nWhat=/no\\n'"
    )
    assert Systemd(node.runner).container_storage_target() == "/dev/disk/by-partlabel/a=b"


def test_container_storage_target_without_a_mount_is_none(node):
    node.break_command("systemctl is-active", "echo inactive; exit 3")
    assert Systemd(node.runner).container_storage_target() is None


def test_container_storage_target_of_a_unit_without_device_is_an_error(node):
    with pytest.raises(UnitError, match=r"^failed to find mountpoint target in var-lib-containers\.mount$"):
        Systemd(node.runner).container_storage_target()


def test_commands_pass_units_and_flags(node):
    systemd = Systemd(node.runner)
    systemd.enable("kubelet.service", now=True)
    systemd.disable("lca-init-monitor.service")
    systemd.stop("a")
    systemd.start("a")
    systemd.restart("a")
    systemd.reload()
    words = [" ".join(command[1:]) for command in node.commands()]
    assert words == [
        *("enable kubelet.service --now", "disable lca-init-monitor.service", "stop a", "start a", "restart a"),
        "daemon-reload",
    ]


def test_failing_commands_raise(node):
    node.break_command("systemctl stop", "echo Unit a not loaded.; exit 5")
    with pytest.raises(CommandError, match=r"Unit a not loaded\.\n: exit status 5"):
        Systemd(node.runner).stop("a")
