"""Plays what a site's cluster and node do in an upgrade between two stages."""

from __future__ import annotations

from collections.abc import Sequence

from agent.kube import Object
from tools.recorded_runs.actions import perform
from tools.recorded_runs.following import Follower
from tools.recorded_runs.scenario import Action
from tools.recorded_runs.site import Site


def play_jobs(site: Site) -> None:
    """Let the Jobs of Prep do their work."""
    for do in (
        "new stateroot deployed on the host",
        "Job lca-prep-stateroot-setup status -> Complete",
        "Job lca-prep-precache status -> Complete",
    ):
        act(site, do)


def play_reboot(site: Site, booted: str, version: str, objects: Sequence[Object] = ()) -> None:
    """Wait until the operator has asked for a reboot, and reboot into `booted`, whose cluster has `objects`."""
    site.operator.wait_for(lambda record: record["message"].startswith("run: systemd-run "), timeout_seconds=60)
    site.settle()
    act(site, "reboot", booted=booted, cluster=f"ClusterVersion {version}", objects=objects)


def act(site: Site, do: str, **details: object) -> None:
    """Do it in the words of recorded runs; the API server must not refuse."""
    assert perform(site, Action(do, details)) is None


def is_stage(follower: Follower, type_: str, status: str = "True") -> None:
    """Wait until the condition has the status."""
    follower.wait_until(
        lambda obj: any(
            (c["type"], c["status"]) == (type_, status) for c in (obj.get("status") or {}).get("conditions") or ()
        )
    )
