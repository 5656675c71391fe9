"""How Python and this package are reached from inside the node.

The machine's interpreter may lie anywhere, its packages in a virtual environment: their folders are mounted at fixed
places below `/sandbox`, and a wrapper names them. An interpreter below `/usr` is reached as it is.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from sandbox.layout import NODE_MOUNT

APPLICATION = Path(__file__).parents[2]
"""Folder that holds the packages `agent`, `sandbox`...: the checkout, or site-packages of an installation."""


def interpreter_mounts() -> list[tuple[Path, Path]]:
    """(folder on the machine, folder on the node) of everything that Python needs there; all read-only."""
    mounts = [(APPLICATION, NODE_MOUNT / "app"), (Path(sysconfig.get_paths()["purelib"]), NODE_MOUNT / "site")]
    if not _is_below_usr():
        mounts.append((Path(sys.base_prefix), NODE_MOUNT / "python"))
    return mounts


def interpreter_script() -> str:
    """The program that starts Python on the node with this package and its dependencies."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix) if _is_below_usr() else NODE_MOUNT / "python"
    return (
        "#!/usr/bin/bash\n"
        f"export PYTHONPATH={NODE_MOUNT}/app:{NODE_MOUNT}/site\n"
        # An interpreter with a shared library names its folder on the machine, which is not the one here.
        + ("" if _is_below_usr() else f"export LD_LIBRARY_PATH={prefix}/lib\n")
        + f'exec {prefix}/bin/{name} "$@"\n'
    )


def _is_below_usr() -> bool:
    # /usr/local of the node is the stateroot's own, see `sandbox.node.boot`.
    prefix = Path(sys.base_prefix)
    return prefix.is_relative_to("/usr") and not prefix.is_relative_to("/usr/local")
