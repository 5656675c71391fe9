"""Command lines of the programs that run on the host; the words are those of the original."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Let `parser` accept what can be given before and after the name of a program."""
    parser.add_argument("-v", "--verbose", action="store_true", help="log details too")
    parser.add_argument("-c", "--no-color", action="store_true", help="accepted; the log has no colours")


def make_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser for the options of `program` that knows the ones which all programs have."""
    parser = argparse.ArgumentParser(prog=f"lca-node {program}", description=description, allow_abbrev=False)
    add_global_options(parser)
    return parser


def parse_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse the words behind the program's name, and let the log obey; wrong usage ends the process with 2."""
    options = parser.parse_args(argv)
    if options.verbose:
        logging.getLogger().setLevel(logging.DEBUG)
    return options
