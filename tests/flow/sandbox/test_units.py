from __future__ import annotations

from collections.abc import Callable

from sandbox.node.sandbox import Sandbox
from sandbox.node.sysroot import choose_deployment

WaitUntil = Callable[[Callable[[], bool]], None]


def write_unit(sandbox: Sandbox, name: str, text: str) -> None:
    root = choose_deployment(sandbox.layout.sysroot).root
    (root / "etc/systemd/system" / name).write_text(text + "\n")
    sandbox.run("systemctl", "daemon-reload")


def service(command: str, *settings: str, unit: str = "") -> str:
    lines = "\n".join(settings)
    return f"[Unit]\n{unit}\n[Service]\nExecStart={command}\n{lines}\n[Install]\nWantedBy=multi-user.target"


def journal(sandbox: Sandbox, name: str) -> str:
    return sandbox.run("journalctl", "-u", name).stdout


def test_units_start_in_the_order_they_ask_for(bare: Sandbox) -> None:
    script = "/usr/bin/bash -c 'echo %n >>/run/order'"
    write_unit(
        bare, "third.service", service(script, "Type=oneshot", unit="After=second.service\nWants=second.service")
    )
    write_unit(bare, "first.service", service(script, "Type=oneshot", unit="Before=second.service"))
    write_unit(bare, "second.service", service(script, "Type=oneshot", unit="Requires=first.service"))
    bare.run("systemctl", "start", "third")
    assert bare.run("cat", "/run/order").stdout.split() == ["first.service", "second.service", "third.service"]


def test_failed_requirement_stops_the_start(bare: Sandbox) -> None:
    write_unit(bare, "broken.service", service("/usr/bin/false", "Type=oneshot"))
    needs = "Requires=broken.service\nAfter=broken.service"
    write_unit(bare, "needy.service", service("/usr/bin/touch /run/needy", "Type=oneshot", unit=needs))
    failed = bare.run("systemctl", "start", "needy", check=False)
    assert (failed.returncode, "dependency" in failed.stderr) == (1, True)
    assert bare.run("test", "-e", "/run/needy", check=False).returncode == 1


def test_failing_oneshot_is_restarted_until_it_succeeds(bare: Sandbox, wait_until: WaitUntil) -> None:
    command = "/usr/bin/bash -c 'echo x >>/run/tries; [ $(wc -l </run/tries) = 3 ] && touch /run/done'"
    write_unit(bare, "stubborn.service", service(command, "Type=oneshot", "Restart=on-failure", "RestartSec=50ms"))
    bare.run("systemctl", "start", "stubborn", check=False)
    wait_until((bare.layout.run / "done").exists)
    assert "restart counter is at 2" in journal(bare, "stubborn")


def test_exec_stop_post_learns_the_result(bare: Sandbox) -> None:
    after = "ExecStopPost=/usr/bin/bash -c 'echo $SERVICE_RESULT >/run/result'"
    write_unit(bare, "fails.service", service("/usr/bin/false", "Type=oneshot", after))
    bare.run("systemctl", "start", "fails", check=False)
    assert bare.run("cat", "/run/result").stdout == "exit-code\n"


def test_enabled_state_lies_in_the_deployment(bare: Sandbox) -> None:
    assert bare.run("systemctl", "is-enabled", "crio", check=False).stdout == "disabled\n"
    bare.run("systemctl", "enable", "--now", "crio")
    assert bare.run("readlink", "/etc/systemd/system/multi-user.target.wants/crio.service").stdout.endswith(
        "crio.service\n"
    )
    assert bare.run("systemctl", "is-active", "crio").stdout == "active\n"
    bare.run("systemctl", "disable", "--now", "crio")
    assert bare.run("systemctl", "is-active", "crio", check=False).returncode == 3


def test_root_option_concerns_another_deployment_only(bare: Sandbox) -> None:
    bare.run("bash", "-c", "mkdir -p /run/other/etc/systemd/system")
    bare.run("bash", "-c", "printf '[Install]\nWantedBy=multi-user.target' >/run/other/etc/systemd/system/x.service")
    bare.run("systemctl", "--root", "/run/other", "enable", "x.service")
    bare.run("test", "-L", "/run/other/etc/systemd/system/multi-user.target.wants/x.service")
    assert bare.run("systemctl", "is-enabled", "x.service", check=False).returncode == 1


def test_mount_unit_names_its_device(bare: Sandbox) -> None:
    assert bare.run("systemctl", "is-active", "var-lib-containers.mount").stdout == "active\n"
    assert "\nWhat=/dev/disk/by-partlabel/" in bare.run("systemctl", "cat", "var-lib-containers.mount").stdout


def test_stopping_a_service_ends_everything_it_started(bare: Sandbox, wait_until: WaitUntil) -> None:
    write_unit(bare, "parent.service", service("/usr/bin/bash -c 'setsid sleep 1111 & exec sleep 2222'"))
    bare.run("systemctl", "start", "parent")
    wait_until(lambda: bare.run("pgrep", "-f", "sleep 1111", check=False).returncode == 0)
    bare.run("systemctl", "stop", "parent")
    assert bare.run("pgrep", "-f", "sleep [12]{4}", check=False).returncode == 1


def test_systemd_run_waits_and_returns_the_code(bare: Sandbox) -> None:
    done = bare.run(
        "systemd-run", "--wait", "--collect", "--unit", "job", "bash", "-c", "echo hello; exit 3", check=False
    )
    assert done.returncode == 3
    assert "hello" in journal(bare, "job")


def test_systemd_run_refuses_a_name_that_is_taken(bare: Sandbox) -> None:
    bare.run("systemd-run", "--unit", "taken", "sleep", "1000")
    again = bare.run("systemd-run", "--unit", "taken", "true", check=False)
    assert (again.returncode, "already loaded" in again.stderr) == (1, True)
    bare.run("systemctl", "stop", "taken")
    bare.run("systemd-run", "--wait", "--unit", "taken", "true")


def test_unknown_unit_is_an_error(bare: Sandbox) -> None:
    assert bare.run("systemctl", "start", "nonsense", check=False).returncode == 5
    assert bare.run("systemctl", "is-active", "nonsense", check=False).returncode == 3
    assert bare.run("systemctl", "enable", "nonsense", check=False).returncode == 1
