"""The controller in a process of its own that dies by SIGKILL at one point of its work.

Arguments: kubeconfig, folder of the scratch node, and the point as `step/moment`, or nothing. The moments are `before`
a step does anything and `after` it has done everything, but before its outcome is written down. Without a point, or
when it is not reached, the process ends with 0 after a pass.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.kube import Client
from agent.workflow.step import Itinerary, Step, Traits
from tests.api.operator.prepivot.upgrade import Upgrade
from tests.host.scratchnode import ScratchNode

Die = Callable[[str], None]


def watch_steps(die: Die) -> Callable[[Itinerary[Any], Traits], tuple[Step[Any], ...]]:
    """Return a replacement for `Itinerary.select_steps` whose steps call `die` at each point."""
    select_steps = Itinerary.select_steps

    def select(itinerary: Itinerary[Any], traits: Traits) -> tuple[Step[Any], ...]:
        return tuple(replace(step, run=_watch(step, die)) for step in select_steps(itinerary, traits))

    return select


def _watch(step: Step[Any], die: Die) -> Callable[[Any], Any]:
    def run(context: Any) -> Any:
        die(f"{step.name}/before")
        outcome = step.run(context)
        die(f"{step.name}/after")
        return outcome

    return run


def main(kubeconfig: str, node: str, fatal: str = "") -> None:
    """Make one pass."""

    def die(point: str) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    Itinerary.select_steps = watch_steps(die)  # type: ignore[method-assign]
    with Client.connect(Path(kubeconfig)) as client:
        upgrade = Upgrade(client, client, ScratchNode(Path(node)))
        upgrade.run_pass()


if __name__ == "__main__":
    main(*sys.argv[1:])
