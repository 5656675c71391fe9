"""`lca-node seed create|restore`; `lca-node create|restore` mean the same."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

_MODULES = {"create": "agent.node.seed.create", "restore": "agent.node.seed.restore"}


def main(argv: Sequence[str]) -> None:
    """Run one of both. Raises ProgramError, UsageError."""
    parser = argparse.ArgumentParser(prog="lca-node seed", description=__doc__)
    parser.add_argument("action", choices=_MODULES)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    importlib.import_module(_MODULES[options.action]).main(options.arguments)
