"""Runs as recert's container: `python -m sandbox.node.recert SETTINGS CONFIG_FILE`; see `sandbox.node.containers`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sandbox.faults import Faults
from sandbox.node.containers import Request, begin, finish
from sandbox.node.recert.run import run_recert

FAULTS = Path("/sandbox/control/faults.json")


def main() -> int:
    """Run recert and note the end of its container; the exit code is recert's."""
    settings = json.loads(sys.argv[1])
    volumes = {Path(target): Path(source) for target, source in settings["volumes"].items()}
    request = Request(settings["name"], settings["image"], volumes=volumes, flags=set(settings["flags"]))
    begin(request)
    code = run_recert(Path(sys.argv[2]), request.locate, Faults(FAULTS))
    finish(request, code)
    return code


if __name__ == "__main__":
    sys.exit(main())
