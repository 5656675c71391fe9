"""`lca sandbox`: a whole single node in a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from sandbox.faults import KNOWN, FaultError
from sandbox.node.failure import SandboxError
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox

_FAILURES = (OSError, SandboxError, subprocess.CalledProcessError)


class _Group(click.Group):
    """Turns the failures of a sandbox into one message and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:  # of our own output; click ends quietly
            raise
        except _FAILURES as error:
            raise click.ClickException(str(error)) from error


def _in_folder(command: Any) -> Any:
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("sandbox-node"),
        show_default=True,
        envvar="LCA_SANDBOX",
        show_envvar=True,
        help="Folder of the sandbox.",
    )(command)


@click.group(cls=_Group)
def command() -> None:
    """Rehearse upgrades on a whole single node in a folder."""


@command.command()
@_in_folder
@click.option("--version", default="4.15.0", show_default=True, help="Release of a new sandbox.")
@click.option("--owner", type=int, help="Stop the sandbox when the process with this id ends.")
def up(directory: Path, version: str, owner: int | None) -> None:
    """Boot the node, detached; make it first if it does not exist."""
    _check_version(version)
    from agent.kube.errors import ApiError

    began = time.monotonic()
    sandbox = Sandbox(directory)
    try:
        sandbox.up(Identity.make(version), owner_pid=owner, say=_say)
    except ApiError as error:
        raise SandboxError(f"the API server of {directory}: {error}") from error
    _say(f"ready after {time.monotonic() - began:.1f} s")
    click.echo(f"export KUBECONFIG={sandbox.layout.kubeconfig}")


@command.command()
@_in_folder
@click.option("--version", required=True, help="Release of the seed image.")
@click.option("--broken", help="Make an image with this defect; `list` shows which there are.")
def seed(directory: Path, version: str, broken: str | None) -> None:
    """Make a seed image of another release and push it to the sandbox's registry; the last line is its pull spec."""
    from sandbox.node.seed import make_seed
    from sandbox.node.seed_defects import BROKEN

    if broken == "list":
        for name, (description, _) in BROKEN.items():
            click.echo(f"{name:20}{description}")
        return
    if broken is not None and broken not in BROKEN:
        raise click.BadParameter(f"no defect is called {broken}; there are: {', '.join(BROKEN)}", param_hint="--broken")
    _check_version(version)
    click.echo(make_seed(_existing(directory), version, broken, _say))


@command.command()
@_in_folder
@click.option("--purge", is_flag=True, help="Delete the folder, too.")
def down(directory: Path, purge: bool) -> None:
    """Stop the node and what is outside of it."""
    sandbox = Sandbox(directory)
    if not directory.exists():
        return
    sandbox.down()
    if purge:
        sandbox.purge()


@command.command()
@_in_folder
@click.option("--power-loss", is_flag=True, help="Cut the power instead of stopping the units.")
@click.option("--stateroot", help="Boot this stateroot once instead of the default, as at the boot menu.")
def reboot(directory: Path, power_loss: bool, stateroot: str | None) -> None:
    """Reboot the node and wait until its units are started."""
    Sandbox(directory).reboot(stateroot, power_loss=power_loss)


@command.command()
@_in_folder
@click.option("--clear", is_flag=True, help="Take back the named fault, or all.")
@click.argument("fault", metavar="[NAME[=VALUE]]", required=False)
def fault(directory: Path, clear: bool, fault: str | None) -> None:
    """Inject a fault, take it back, or list what there is."""
    sandbox = _existing(directory)
    if not fault and not clear:
        active = sandbox.faults.all()
        for name, description in KNOWN.items():
            click.echo(f"{'*' if name in active else ' '} {name:26}{description}")
        return
    name, _, value = (fault or "").partition("=")
    try:
        if clear:
            sandbox.faults.clear(name or None)
        else:
            sandbox.faults.set(name, value)
    except FaultError as error:
        raise click.BadParameter(str(error)) from error


@command.command()
@_in_folder
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(directory: Path, output: str) -> None:
    """Show what is booted, what runs, and which commands ran on the host."""
    values = _existing(directory).status()
    if output == "json":
        click.echo(json.dumps(values, indent=1))
        return
    booted = values.get("booted") or {}
    click.echo(f"phase        {values['phase']}" + (" (cluster ready)" if values["cluster_ready"] else ""))
    click.echo(f"booted       {booted.get('stateroot', '-')}  release {booted.get('version', '-')}")
    for each in values["deployments"]:
        mark = "*" if each["deployment"] == booted.get("deployment") else " "
        click.echo(f"deployment {mark} {each['stateroot']} {each['deployment'][:12]}{' default' * each['default']}")
    for unit in values["units"]:
        click.echo(f"unit         {unit['name']} {unit['active']} ({unit['sub']})")
    click.echo(f"registry     {values['registry']}")
    for name, pid in (values.get("pids") or {}).items():
        click.echo(f"outside      {name} (pid {pid})")
    for name, value in values["faults"].items():
        click.echo(f"fault        {name}{'=' * bool(value)}{value}")
    click.echo(f"commands     {len(values['commands'])} host commands so far; -o json lists them")


@command.command("exec", context_settings={"ignore_unknown_options": True})
@_in_folder
@click.argument("argv", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(directory: Path, argv: tuple[str, ...]) -> NoReturn:
    """Run a command on the node as booted."""
    words = _existing(directory).exec_argv(argv)
    os.execvp(words[0], words)  # noqa: S606


@command.command()
@_in_folder
@click.option("-f", "--follow", is_flag=True, help="Go on printing.")
@click.argument("part", required=False)
def logs(directory: Path, follow: bool, part: str | None) -> None:
    """Print the log of a unit, a Pod's container or a part outside the node; without PART list them."""
    parts = _existing(directory).log_files()
    if part is None:
        click.echo("\n".join(parts))
        return
    path = parts.get(part) or parts.get(part.removesuffix(".service"))
    if path is None:
        raise click.ClickException(f"no part is called {part}; there are:\n  " + "\n  ".join(parts))
    if follow:
        os.execvp("tail", ["tail", "-n", "+1", "-f", str(path)])  # noqa: S606
    sys.stdout.write(path.read_text(errors="replace"))


def _existing(directory: Path) -> Sandbox:
    sandbox = Sandbox(directory)
    if not sandbox.exists:
        raise click.ClickException(f"there is no sandbox in {directory}; lca sandbox up --dir {directory}")
    return sandbox


def _check_version(text: str) -> None:
    numbers = text.partition("-")[0].split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise click.BadParameter(f"{text!r} is not a release such as 4.15.0", param_hint="--version")


def _say(text: str) -> None:
    click.echo(text, err=True)
