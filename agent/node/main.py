"""Entry point of `lca-node`: finds the program, maps every ending to an exit code.

Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 130 interrupted. Only the program that runs is imported.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence

from agent.node.commandline import add_global_options
from agent.node.ending import Interrupted, ProgramError, UsageError, interrupted_by_sigterm
from agent.node.logs import log_for_journal
from agent.runtime.logs import configure_logging

logger = logging.getLogger(__name__)

PROGRAMS = {
    "stateroot-setup": ("agent.node.stateroot.program", "build the new stateroot from the seed image"),
    "precache": ("agent.node.precache.program", "pull the images of the new release"),
    "post-pivot": ("agent.node.postpivot.program", "turn the booted seed into this site's cluster"),
    "init-monitor": ("agent.node.initmonitor.program", "send the node back unless the upgrade completes in time"),
    "seed": ("agent.node.seed.program", "create a seed image of this node, or restore the node afterwards"),
    "create": ("agent.node.seed.create", "the same as seed create"),
    "restore": ("agent.node.seed.restore", "the same as seed restore"),
}
"""Name -> (module with `main(argv)`, short help)."""

JOURNALED = frozenset({"post-pivot", "init-monitor"})
"""Programs that systemd runs; their log has the form of the original's."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `lca-node` and exit; what went wrong is the last line of the log."""
    programs = "\n".join(f"  {name:<18}{text}" for name, (_, text) in PROGRAMS.items())
    parser = argparse.ArgumentParser(
        prog="lca-node",
        description="Programs of the Lifecycle Agent that run on the node.",
        epilog=f"programs:\n{programs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_global_options(parser)
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", choices=("text", "json"))
    parser.add_argument("program", choices=PROGRAMS, metavar="PROGRAM", help="one of the programs below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    level = "debug" if options.verbose else options.log_level
    configure_logging(options.log_format or "text", level)
    if options.program in JOURNALED and not options.log_format:
        log_for_journal()
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
    except (Interrupted, KeyboardInterrupt) as interruption:
        if expected := str(interruption):
            logger.info("%s: %s", name, expected)
        else:
            logger.error("%s: interrupted; run it again to start over", name)
        return 130
    except ProgramError as error:
        logger.log(error.level, "%s", error)
        return 1
    except Exception:
        logger.exception("%s: unexpected error", name)
        return 1
    return 0
