from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hostops.reboot import reboot_argv
from sandbox.node.failure import SandboxError
from sandbox.node.sandbox import Sandbox

MakeSandbox = Callable[..., Sandbox]
WaitUntil = Callable[[Callable[[], bool]], None]


def add_stateroot(sandbox: Sandbox, name: str, *options: str) -> None:
    """What the stateroot step of an upgrade does, by hand."""
    sandbox.run("ostree", "admin", "os-init", name)
    sandbox.run("ostree", "admin", "deploy", "--os", name, "--no-prune", *options, "rhcos/4.15.0")


def booted(sandbox: Sandbox) -> str:
    status = sandbox.run("ostree", "admin", "status").stdout
    return next(line.split()[1] for line in status.splitlines() if line.startswith("* "))


def processes_of(sandbox: Sandbox) -> list[str]:
    """Processes whose root or working folder or command line is in the sandbox."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            root, line = str((process / "root").readlink()), (process / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if int(process.name) != os.getpid() and str(sandbox.layout.directory) in root + line:
            found.append(f"{process.name} {line}")
    return found


def test_reboot_goes_to_the_default_deployment(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    add_stateroot(sandbox, "rhcos_4.16.1", "--not-as-default")
    sandbox.reboot()
    assert booted(sandbox) == "rhcos"
    sandbox.run("ostree", "admin", "set-default", "1")
    sandbox.run("touch", "/var/only-in-the-old-one")
    sandbox.reboot()
    assert booted(sandbox) == "rhcos_4.16.1"
    assert sandbox.run("test", "-e", "/var/only-in-the-old-one", check=False).returncode == 1


def test_agent_reboots_the_node_by_systemd_run(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    boots, boot_id = sandbox.state()["boots"], read_boot_id(sandbox)
    assert read_boot_id(sandbox) == boot_id
    sandbox.run(*reboot_argv("upgrade"))
    sandbox.wait_booted(after=boots)
    assert sandbox.state()["boots"] == boots + 1
    assert read_boot_id(sandbox) != boot_id


def read_boot_id(sandbox: Sandbox) -> str:
    return sandbox.run("cat", "/proc/sys/kernel/random/boot_id").stdout


def test_fallback_boots_the_other_stateroot_once(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    add_stateroot(sandbox, "rhcos_4.16.1")
    sandbox.reboot()
    assert booted(sandbox) == "rhcos_4.16.1"
    sandbox.reboot("rhcos")
    assert booted(sandbox) == "rhcos"
    sandbox.reboot()
    assert booted(sandbox) == "rhcos_4.16.1"


def test_default_without_a_root_is_passed_over(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    add_stateroot(sandbox, "rhcos_4.16.1")
    deployments = "/ostree/deploy/rhcos_4.16.1/deploy"
    sandbox.run("bash", "-c", f"chattr -i {deployments}/*.0 && rm -rf {deployments}/*.0")
    sandbox.reboot()
    assert sandbox.state()["booted"]["stateroot"] == "rhcos"


def test_power_loss_stops_no_unit_and_boots_again(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    sandbox.run("bash", "-c", "exec setsid sleep 4711 >/dev/null 2>&1 &")
    sandbox.reboot(power_loss=True)
    assert "Stopped" not in (sandbox.layout.logs / "chronyd.log").read_text()
    assert sandbox.run("pgrep", "-f", "sleep 4711", check=False).returncode == 1


def test_two_sandboxes_run_side_by_side(make_sandbox: MakeSandbox) -> None:
    one, two = make_sandbox("one"), make_sandbox("two")
    one.run("touch", "/etc/one")
    assert two.run("test", "-e", "/etc/one", check=False).returncode == 1
    one.reboot(power_loss=True)
    assert two.state()["boots"] == 1
    assert one.run("true").returncode == two.run("true").returncode == 0


def test_killed_supervisor_leaves_nothing_and_the_next_start_repairs(
    make_sandbox: MakeSandbox, wait_until: WaitUntil
) -> None:
    sandbox = make_sandbox()
    sandbox.run("touch", "/var/kept")
    os.kill(sandbox.status()["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: processes_of(sandbox) == [])
    assert sandbox.status()["phase"] == "killed"
    sandbox.start(owner_pid=os.getpid())
    sandbox.wait_booted()
    sandbox.run("test", "-e", "/var/kept")


def test_down_leaves_no_process_and_purge_no_file(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    sandbox.down()
    assert processes_of(sandbox) == []
    sandbox.down()
    sandbox.purge()
    assert not sandbox.layout.directory.exists()


def test_start_of_a_running_sandbox_changes_nothing(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    before = sandbox.status()
    assert sandbox.start() is False
    assert sandbox.status()["supervisor_pid"] == before["supervisor_pid"]


def test_purge_refuses_a_folder_that_is_no_sandbox(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(SandboxError, match="not a sandbox"):
        Sandbox(tmp_path).purge()
    assert (tmp_path / "precious").exists()


def test_power_loss_takes_what_a_program_of_ours_did_not_sync(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    program = (
        "import sandbox.node.inside.unsynced; from pathlib import Path; from hostops.files import write_atomically\n"
        "Path('/var/careless').write_text('x'); write_atomically(Path('/var/careful'), 'x')\n"
    )
    sandbox.run("/sandbox/bin/.python", "-c", program)
    sandbox.reboot(power_loss=True)
    assert sandbox.run("cat", "/var/careless").stdout == ""
    assert sandbox.run("cat", "/var/careful").stdout == "x"
