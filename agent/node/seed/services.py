"""Stops everything that writes to the cluster's data: kubelet, containers, CRI-O (seed-image-and-gitops.md B.8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from hostops.runner import CommandError, Runner
from hostops.systemd import Systemd

logger = logging.getLogger(__name__)

KUBELET, CRIO = "kubelet.service", "crio.service"
_AT_ONCE = "10"
_PAUSES_SECONDS = (1.0, 2.0, None)


def stop_services(runner: Runner, pause: Callable[[float], None] = time.sleep) -> None:
    """Stop and disable kubelet, then end all containers and CRI-O; repeatable. Raises CommandError."""
    systemd = Systemd(runner)
    systemd.stop(KUBELET)
    systemd.disable(KUBELET)
    if systemd.active_state("crio") != "active":
        return
    _try_often(lambda: _stop_containers(runner), "containers", pause)
    # Pods that CRI-O finds again make its next start take tens of minutes.
    _try_often(lambda: _remove_pods(runner), "pods", pause)
    systemd.stop(CRIO)


def _stop_containers(runner: Runner) -> None:
    running = runner.run("crictl", "ps", "-q", stdout_only=True).output
    many = ("xargs", "--no-run-if-empty", "--max-args", "1", "--max-procs", _AT_ONCE)
    runner.run(*many, "crictl", "stop", "--timeout", "5", input=running)


def _remove_pods(runner: Runner) -> None:
    pods = runner.run("crictl", "pods", "-q", stdout_only=True).output.split()
    if pods:
        runner.run("crictl", "rmp", "-f", *pods)


def _try_often(action: Callable[[], None], what: str, pause: Callable[[float], None]) -> None:
    """Do it up to three times, then go on without: what still runs ends with CRI-O."""
    for seconds in _PAUSES_SECONDS:
        try:
            return action()
        except CommandError as error:
            logger.warning("not all %s ended: %s", what, error)
            if seconds is not None:
                pause(seconds)
    return None
