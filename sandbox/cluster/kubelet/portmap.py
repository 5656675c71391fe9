"""Ports of Pods: all Pods of all sandboxes share the machine's network, so each declared port gets a free one.

A container that declares `containerPort: 8081` and is told `--address=:8081` is told `--address=:40123` instead, and
its probes ask there. Pods on the host network keep their ports, as on a node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.kube import Object
from sandbox.controlplane.ports import choose_free_port

_LISTEN = re.compile(r"((?:^|=)(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\])?):(\d+)$")


def map_ports(pod: Object, container: Object) -> dict[int, int]:
    """Declared port -> free port of this machine, for one container."""
    if pod["spec"].get("hostNetwork"):
        return {}
    return {int(port["containerPort"]): choose_free_port() for port in container.get("ports") or []}


def translate_address(word: str, ports: Mapping[int, int]) -> str:
    """Replace the port of a listen address (`:8081`, `--x=0.0.0.0:8081`) by the one that stands for it."""
    return _LISTEN.sub(lambda match: f"{match[1]}:{ports.get(int(match[2]), match[2])}", word)
