"""Entry point of `lca`: finds the command, maps every ending to an exit code.

Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 130 interrupted.
"""

from __future__ import annotations

import sys

import click

from agent.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "operator": ("agent.cli.operator:command", "Run the operator of the single-node cluster"),
    "sandbox": ("sandbox.cli:command", "Rehearse upgrades on a whole single node in a folder"),
    "seed": ("agent.cli.seed:command", "Look at seed images; prepare a cluster to become one"),
    "status": ("agent.cli.status:status", "Show the state of the upgrade"),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lifecycle-agent")
def cli() -> None:
    """Image-based upgrades of single-node OpenShift."""


def main(argv: list[str] | None = None) -> None:
    """Run `lca` and exit with its code; one line on standard error for every failure that is the user's to mend."""
    try:
        code = cli.main(args=argv, prog_name="lca", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
