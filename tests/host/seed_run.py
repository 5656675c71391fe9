"""One creation of a seed image on a scratch node, as a process that can be killed: `python -m ... JSON`.

It differs from production in the scope's prefix, and in the steps that ask the API: what they would have written is
there before, with their markers. Certificates are left alone: recert is the sandbox's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.kube import Client
from agent.node.main import run_body
from agent.node.seed import create, restoration
from agent.node.seed.creation import CREATE_SEED, Creation
from agent.node.seed.request import SeedRequest
from agent.workflow.outcome import Outcome
from agent.workflow.step import Itinerary, Step
from tests.host.scratchnode import ScratchNode

PROGRAM = Path(__file__)
"""Stands for the program in the image."""


def start_run(node: ScratchNode, image: str, **options: str) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own; options: `die_at` (`step/before` or `step/after`), `do` (`restore`)."""
    values = {"node": str(node.directory), "image": image, **options}
    return subprocess.Popen([sys.executable, "-m", __name__, json.dumps(values)], stderr=subprocess.PIPE)


def run_seed(node: ScratchNode, image: str, **options: str) -> tuple[int, str]:
    """Run to the end; return exit code and log."""
    process = start_run(node, image, **options)
    _, log = process.communicate(timeout=200)
    return process.returncode, log.decode()


def _make_mortal(step: Step[Creation], point: str) -> Step[Creation]:
    def run(creation: Creation) -> Outcome:
        if point == f"{step.name}/before":
            os.kill(os.getpid(), signal.SIGKILL)
        outcome = step.run(creation)
        if point == f"{step.name}/after":
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    return replace(step, run=run)


@contextlib.contextmanager
def _dying_at(point: str) -> Iterator[None]:
    """Both itineraries, with the death built in."""
    for module, name in ((create, "CREATE_SEED"), (restoration, "RESTORE_SEED")):
        itinerary: Itinerary[Creation] = getattr(module, name)
        setattr(module, name, replace(itinerary, steps=tuple(_make_mortal(each, point) for each in itinerary.steps)))
    yield


def connect() -> Client:
    raise AssertionError("these steps were done before")


def main(text: str) -> int:
    options = json.loads(text)
    node = ScratchNode(Path(options["node"]))
    request = SeedRequest(options["image"], recert=False, cleanup=options.get("cleanup", "yes") == "yes")
    if authfile := options.get("authfile"):
        request = replace(request, authfile=authfile)
    run = Creation(request, node.root, node.runner, connect, program=PROGRAM, pause=lambda seconds: None)

    def body() -> None:
        if options.get("do") == "restore":
            restoration.restore_seed(restoration.Restoration(request, node.root, node.runner, run.pause))
        else:
            create.create_seed(run)

    with _dying_at(options.get("die_at", "")):
        return run_body("seed", body)


assert CREATE_SEED is create.CREATE_SEED

if __name__ == "__main__":
    import logging

    logging.basicConfig(level="INFO", format="%(message)s")
    sys.exit(main(sys.argv[1]))
