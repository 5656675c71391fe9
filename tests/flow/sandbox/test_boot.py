from __future__ import annotations

import json
import re

import pytest

from sandbox.node.sandbox import Sandbox


def test_booted_deployment_is_marked_by_ostree(bare: Sandbox) -> None:
    assert re.match(r"\* rhcos [0-9a-f]{64}\.0\n", bare.run("ostree", "admin", "status").stdout)


def test_node_names_its_own_release(bare: Sandbox) -> None:
    assert 'VERSION_ID="4.15"' in bare.run("cat", "/etc/os-release").stdout
    assert "ostree=/ostree/boot." in bare.run("cat", "/proc/cmdline").stdout


def test_mounts_are_those_of_a_node(bare: Sandbox) -> None:
    (bare.layout.containers / "marker").touch()
    bare.run("test", "-e", "/var/lib/containers/marker")
    bare.run("bash", "-c", "ls /boot/loader/entries/*.conf && test -d /sysroot/ostree/repo && touch /var/lib/x /etc/x")
    assert bare.run("touch", "/x", check=False).returncode != 0


@pytest.mark.parametrize("command", [("true",), ("false",), ("bash", "-c", "exit 7")])
def test_exec_ends_with_the_code_of_the_command(bare: Sandbox, command: tuple[str, ...]) -> None:
    assert bare.run(*command, check=False).returncode == {"true": 0, "false": 1}.get(command[0], 7)


def test_rpm_ostree_tells_what_ostree_knows(bare: Sandbox) -> None:
    deployments = json.loads(bare.run("rpm-ostree", "status", "--json").stdout)["deployments"]
    name = bare.state()["booted"]["deployment"]
    assert [(each["id"], each["booted"]) for each in deployments] == [(f"rhcos-{name}", True)]


def test_commands_are_recorded_with_words_and_code(bare: Sandbox) -> None:
    bare.run("ostree", "admin", "set-default", "9", check=False)
    bare.run("tar", "--version", "a b", 'quote"\n\\')
    commands = bare.status()["commands"][-2:]
    assert [command["argv"] for command in commands] == [
        ("ostree", "admin", "set-default", "9"),
        ("tar", "--version", "a b", 'quote"\n\\'),
    ]
    assert [command["code"] for command in commands] == [1, 0]


def test_remount_leaves_the_file_system_of_the_machine_alone(bare: Sandbox) -> None:
    bare.run("unshare", "-m", "/bin/sh", "-c", "mount -o remount,ro /sysroot && ! touch /sysroot/x")
    bare.run("touch", "/sysroot/y")
