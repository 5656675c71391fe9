"""Entry point of `lca-node`: finds the program, maps every ending to an exit code.

Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 130 interrupted. Only the program that runs is imported.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence

from agent.node.ending import Interrupted, ProgramError, UsageError, interrupted_by_sigterm
from agent.runtime.logs import configure_logging

logger = logging.getLogger(__name__)

PROGRAMS = {
    "stateroot-setup": ("agent.node.stateroot.program", "build the new stateroot from the seed image"),
    "precache": ("agent.node.precache.program", "pull the images of the new release"),
    "seed": ("agent.node.seed.program", "create a seed image of this node, or restore the node afterwards"),
    "create": ("agent.node.seed.create", "the same as seed create"),
    "restore": ("agent.node.seed.restore", "the same as seed restore"),
}
"""Name -> (module with `main(argv)`, short help)."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `lca-node` and exit; what went wrong is the last line of the log."""
    programs = "\n".join(f"  {name:<18}{text}" for name, (_, text) in PROGRAMS.items())
    parser = argparse.ArgumentParser(
        prog="lca-node",
        description="Programs of the Lifecycle Agent that run on the node.",
        epilog=f"programs:\n{programs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", default="text", choices=("text", "json"))
    parser.add_argument("program", choices=PROGRAMS, metavar="PROGRAM", help="one of the programs below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    configure_logging(options.log_format, options.log_level)
    sys.exit(run_program(options.program, options.arguments))


def run_program(name: str, arguments: Sequence[str]) -> int:
    """Run one program and return the exit code."""
    return run_body(name, lambda: importlib.import_module(PROGRAMS[name][0]).main(arguments))


def run_body(name: str, body: Callable[[], None]) -> int:
    """Run `body` and map its ending to an exit code and a last line of the log."""
    try:
        with interrupted_by_sigterm():
            body()
    except UsageError as error:
        logger.error("%s: %s", name, error)
        return 2
    except (Interrupted, KeyboardInterrupt):
        logger.error("%s: interrupted; run it again to start over", name)
        return 130
    except ProgramError as error:
        logger.error("%s", error)
        return 1
    except Exception:
        logger.exception("%s: unexpected error", name)
        return 1
    return 0
