"""Kills the agent at a named step of an itinerary, as the fault kill-agent-at asks for; it knows nothing of it.

Imported before the agent. Texts that the fault's regular expression is matched against: `step NAME` just before a step
runs, `step NAME ended` just after it, before anything about it is written down.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

from agent.workflow import replay as driver
from agent.workflow.replay import Ended, Event, Started

RULES = "/sandbox/control/command-faults"


def obey(text: str) -> None:
    """End this process as if somebody had killed it, once, if the fault says so."""
    rules = next((path for path in (f"/host{RULES}", RULES) if os.path.exists(path)), None)
    if rules is None:
        return
    with open(rules) as file:
        kills = [line.split("\t")[1] for line in file if line.startswith("kill\t")]
    if any(re.search(regex, text) for regex in kills):
        try:
            os.close(os.open(f"{rules}.killed", os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


_real_replay = driver.replay


def _replay(*arguments: Any, **options: Any) -> Iterator[Event]:
    for event in _real_replay(*arguments, **options):
        if isinstance(event, Started):
            obey(f"step {event.step.name}")
        elif isinstance(event, Ended):
            obey(f"step {event.step.name} ended")
        yield event


driver.replay = _replay
