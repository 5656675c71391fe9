"""Runs on the node in the place of `lca`: the operator, unchanged, which dies by SIGKILL at one point of its work.

The file `*.point` beside this program names the point as `itinerary/step/moment`; it is used once. The moments are
`before` a step does anything and `after` it has done everything, but before its outcome is written down. The parts of
the cleanup count as steps of their own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import agent.ibu.cleanup.itinerary as cleanup
from agent.cli.main import main
from agent.workflow.step import Itinerary, Step, Traits

POINT = Path(__file__).with_suffix(".point")
select_steps = Itinerary.select_steps


def die_at(point: str) -> None:
    if POINT.exists() and POINT.read_text() == point:
        POINT.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def make_mortal(name: str, run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run_mortal(context: Any) -> Any:
        die_at(f"{name}/before")
        outcome = run(context)
        die_at(f"{name}/after")
        return outcome

    return run_mortal


def select_mortal(itinerary: Itinerary[Any], traits: Traits) -> tuple[Step[Any], ...]:
    steps = select_steps(itinerary, traits)
    return tuple(replace(step, run=make_mortal(f"{itinerary.name}/{step.name}", step.run)) for step in steps)


Itinerary.select_steps = select_mortal  # type: ignore[method-assign]
cleanup.PARTS = tuple(make_mortal(f"cleanup/{part.__name__}", part) for part in cleanup.PARTS)
main()
