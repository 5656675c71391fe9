"""How soon the old release serves again once the watchdog's time is over, against a plain reboot of the same node."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.cli.following import Lost, follow_upgrade
from agent.ibu.summary import tell_ending
from agent.kube import Client, Kind, RetryPolicy, errors
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.seed import make_seed
from tools.bench.bed import IBU
from tools.bench.measure import Figure

RUNS = 3
OLD, NEW = "4.15.0", "4.16.1"
WATCH_SECONDS = 30
LIMIT_SECONDS = 600
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
EXPIRED = "Rollback due to LCA Init Monitor timeout"


def measure() -> Iterator[Figure]:
    """Upgrade to a release that never becomes healthy, and go back, several times."""
    with tempfile.TemporaryDirectory(prefix="bench-rollback-") as directory:
        sandbox = Sandbox(Path(directory) / "site")
        try:
            sandbox.up(Identity.make(OLD), owner_pid=os.getpid())
            image = make_seed(sandbox, NEW)
            sandbox.faults.set("never-healthy-after-pivot")
            pairs = [(_time_rollback(sandbox, image), _time_reboot(sandbox)) for _ in range(RUNS)]
        finally:
            sandbox.down()
            sandbox.purge()
    ours, floor = zip(*pairs, strict=True)
    yield Figure("watchdog's time is over to the old release's API", "a reboot to the API", "s", ours, floor)


def _time_rollback(sandbox: Sandbox, image: str) -> float:
    spec = {"seedImageRef": {"version": NEW, "image": image}}
    _reach(sandbox, "Prep", autoRollbackOnFailure={"initMonitorTimeoutSeconds": WATCH_SECONDS}, **spec)
    before = _count_expiries(sandbox)
    _patch(sandbox, "Upgrade")
    expired = _await(lambda: _count_expiries(sandbox) > before, "the watchdog")
    served = _await_release(sandbox, OLD)
    _await_end(sandbox, "Upgrade")
    _reach(sandbox, "Idle")
    return served - expired


def _time_reboot(sandbox: Sandbox) -> float:
    boots = sandbox.state()["boots"]
    began = time.time()
    sandbox.run("systemctl", "reboot", check=False)  # the command may go down with the node
    sandbox.wait_booted(after=boots)
    served = _await_release(sandbox, OLD)
    sandbox.wait_ready()
    return served - began


def _patch(sandbox: Sandbox, stage: str, **spec: object) -> None:
    with Client.connect(sandbox.layout.kubeconfig) as client:
        client.patch_merge(IBU, "upgrade", {"spec": {"stage": stage, **spec}})


def _reach(sandbox: Sandbox, stage: str, **spec: object) -> None:
    _patch(sandbox, stage, **spec)
    _await_end(sandbox, stage)


def _await_end(sandbox: Sandbox, stage: str) -> None:
    for state in follow_upgrade(sandbox.layout.kubeconfig, None, limit_seconds=LIMIT_SECONDS):
        if not isinstance(state, Lost) and state.spec.stage == stage and tell_ending(state) is not None:
            return
    raise TimeoutError(f"{stage} did not end in {LIMIT_SECONDS} s")


def _count_expiries(sandbox: Sandbox) -> int:
    log = sandbox.log_files().get("lca-init-monitor")
    return log.read_text().count(EXPIRED) if log else 0


def _await_release(sandbox: Sandbox, version: str) -> float:
    """Return when the API server of a release answered for the first time."""
    once = RetryPolicy(deadline_seconds=5.0, retry_seconds=0.0)

    def serves() -> bool:
        try:
            with Client.connect(sandbox.layout.kubeconfig, policy=once) as client:
                found = client.get(CLUSTER_VERSION, "version")
        except (errors.ApiError, errors.AccessError, FileNotFoundError):
            return False
        return bool(found["status"]["desired"]["version"] == version)

    return _await(serves, f"the API server of {version}")


def _await(holds: Callable[[], bool], what: str) -> float:
    """Look every 20 ms; return when it holds (seconds since the epoch)."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if holds():
            return time.time()
        time.sleep(0.02)
    raise TimeoutError(f"waited {LIMIT_SECONDS} s for {what}")
