"""Kills the agent, or cuts the node's power, at a named step of an itinerary, as a fault asks; it knows nothing of it.

Imported before the agent. Texts that the faults' regular expressions are matched against: `step NAME` and
`step ITINERARY/NAME` just before a step runs, the same with ` ended` just after it, before anything about it is written
down.
"""

from __future__ import annotations

import _socket
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

CONTROL = "/sandbox/control"


def obey(*texts: str) -> None:
    """End this process as if somebody had killed it or the power had failed, once, if a fault says so."""
    control = next((path for path in (f"/host{CONTROL}", CONTROL) if os.path.exists(f"{path}/command-faults")), None)
    if control is None:
        return
    with open(f"{control}/command-faults") as file:
        rules = [line.split("\t") for line in file if line.startswith(("kill\t", "power\t"))]
    for kind, regex, *_ in rules:
        if not any(re.search(regex, text) for text in texts):
            continue
        try:
            os.close(os.open(f"{control}/command-faults.killed", os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
        if kind == "power":
            cut_power(control)
        os.kill(os.getpid(), signal.SIGKILL)


def cut_power(control: str) -> None:
    """Ask the sandbox's supervisor for a power loss; does not return, since this process dies of it."""
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    client.connect(f"{control}/supervisor.sock")
    client.sendall(b'{"do": "power-loss"}\n')
    while True:
        signal.pause()


def install() -> None:
    """Make the driver of the itineraries obey."""
    from agent.workflow import replay as driver
    from agent.workflow.replay import Ended, Event, Started

    real_replay = driver.replay

    def replay(itinerary: Any, *arguments: Any, **options: Any) -> Iterator[Event]:
        for event in real_replay(itinerary, *arguments, **options):
            if isinstance(event, (Started, Ended)):
                suffix = " ended" if isinstance(event, Ended) else ""
                obey(f"step {event.step.name}{suffix}", f"step {itinerary.name}/{event.step.name}{suffix}")
            yield event

    driver.replay = replay


if __name__ == "__main__":
    cut_power(sys.argv[1])
else:
    install()
