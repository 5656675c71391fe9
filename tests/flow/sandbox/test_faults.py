from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.node.ports import Ports
from sandbox.node.sandbox import Sandbox

WaitUntil = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def no_faults_left(bare: Sandbox) -> Iterator[None]:
    yield
    bare.faults.clear()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def test_command_fault_keeps_the_program_from_running(bare: Sandbox) -> None:
    bare.faults.set("command", "^tar .*victim:7:tar: no space left")
    failed = bare.run("tar", "cf", "/run/victim.tar", "/etc/hostname", check=False)
    assert (failed.returncode, failed.stderr) == (7, "tar: no space left\n")
    assert not (bare.layout.run / "victim.tar").exists()
    assert bare.run("tar", "--version").returncode == 0


def test_command_fault_also_meets_commands_in_a_shell(bare: Sandbox) -> None:
    bare.faults.set("command", "^podman pull:125:no route")
    assert bare.run("bash", "-c", "podman pull x", check=False).returncode == 125


def test_delay_fault_comes_before_the_program(bare: Sandbox) -> None:
    bare.faults.set("command-delay", "^ostree admin status:0.4")
    bare.run("ostree", "admin", "status")
    assert bare.status()["commands"][-1]["seconds"] >= 0.4


def test_undeploy_fails_as_long_as_the_fault_is_there(bare: Sandbox) -> None:
    bare.faults.set("undeploy-fails")
    failed = bare.run("ostree", "admin", "undeploy", "5", check=False)
    assert (failed.returncode, failed.stderr) == (1, "error: Input/output error\n")
    bare.faults.clear("undeploy-fails")
    assert "Out of range" in bare.run("ostree", "admin", "undeploy", "5", check=False).stderr


@pytest.mark.parametrize("part", ["registry", "s3"])
def test_service_outside_goes_down_and_comes_back(bare: Sandbox, wait_until: WaitUntil, part: str) -> None:
    port = getattr(Ports.read(bare.layout.ports_file), part)
    bare.faults.clear()
    wait_until(lambda: answers(port))
    bare.faults.set(f"{part}-down")
    wait_until(lambda: not answers(port))
    bare.faults.clear()
    wait_until(lambda: answers(port))


def test_killed_service_outside_is_started_again(bare: Sandbox, wait_until: WaitUntil) -> None:
    bare.faults.set("s3-down")
    wait_until(lambda: "registry" in bare.status()["pids"])
    pid = bare.status()["pids"]["registry"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: bare.status()["pids"].get("registry", pid) != pid)


def test_hanging_reboot_never_happens(bare: Sandbox) -> None:
    bare.faults.set("reboot-hangs")
    boots = bare.state()["boots"]
    for options in ((), ("--force",)):
        assert bare.run("systemctl", *options, "reboot").returncode == 0
    assert bare.run("systemctl", "is-active", "chronyd").stdout == "active\n"
    assert bare.state()["boots"] == boots


def test_gracefully_hanging_reboot_can_be_forced(bare: Sandbox) -> None:
    bare.faults.set("reboot-hangs", "graceful")
    boots = bare.state()["boots"]
    bare.run("systemctl", "reboot")
    assert bare.state()["boots"] == boots
    bare.run("systemctl", "reboot", "--force", check=False)
    bare.wait_booted(after=boots)


def test_agent_is_killed_once_before_the_named_command(bare: Sandbox) -> None:
    bare.faults.set("kill-agent-at", "^ostree admin os-init")
    program = (
        "import subprocess; agent='agent.'; subprocess.run(['ostree', 'admin', 'os-init', 'x']); print('survived')"
    )
    agent = ("/sandbox/bin/.python", "-c", program)
    killed = bare.run(*agent, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")
    assert not (bare.layout.sysroot / "ostree/deploy/x").exists()
    assert bare.run(*agent).stdout.endswith("survived\n")
    assert (bare.layout.sysroot / "ostree/deploy/x").exists()


def test_agent_in_a_pod_is_found_through_its_own_process_numbers(bare: Sandbox) -> None:
    bare.faults.set("kill-agent-at", "^ostree admin status")
    call = "subprocess.run(['chroot', '/mnt', 'ostree', 'admin', 'status'])"
    program = f"import subprocess; agent='agent.'; {call}; print('survived')"
    pod = ("bwrap", "--unshare-pid", "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--dev-bind", "/", "/mnt")
    killed = bare.run(*pod, "/sandbox/bin/.python", "-c", program, check=False)
    assert (killed.returncode, killed.stdout) == (128 + signal.SIGKILL, "")


_ITINERARY = """
import sandbox.node.inside.kill_points
from agent.node.walk import walk
from agent.workflow.outcome import Done
from agent.workflow.step import Itinerary, Step
def show(name):
    return lambda context: (print(name, flush=True), Done())[1]
walk(Itinerary("x", tuple(Step(name, show(name)) for name in {names})), None)
print("end")
"""


@pytest.mark.parametrize(
    ("point", "printed"),
    [
        ("step second$", ["first"]),
        ("step x/second$", ["first"]),
        ("step second ended", ["first", "second"]),
        ("step other", ["first", "second", "end"]),
    ],
)
def test_agent_is_killed_at_a_step_of_an_itinerary(bare: Sandbox, point: str, printed: list[str]) -> None:
    bare.faults.set("kill-agent-at", point)
    program = _ITINERARY.format(names=("first", "second"))
    assert bare.run("/sandbox/bin/.python", "-c", program, check=False).stdout.split() == printed


@pytest.mark.parametrize(
    ("point", "command"),
    [
        ("step x/only ended", ("/sandbox/bin/.python", "-c", _ITINERARY.format(names=("only",)))),
        ("^ostree admin status", ("ostree", "admin", "status")),
    ],
)
def test_power_is_lost_once_at_the_named_place(bare: Sandbox, point: str, command: tuple[str, ...]) -> None:
    boots = bare.state()["boots"]
    bare.faults.set("power-loss-at", point)
    assert bare.run(*command, check=False).returncode != 0
    bare.wait_booted(after=boots)
    assert bare.state()["boots"] == boots + 1
    assert bare.run(*command).returncode == 0


def test_fault_of_an_unknown_name_is_refused_by_the_command(bare: Sandbox) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lca"), "sandbox", "fault", "--dir", str(bare.layout.directory), "s3-dwon"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "did you mean s3-down?" in done.stderr) == (2, True)
