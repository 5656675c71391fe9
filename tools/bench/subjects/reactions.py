"""How soon the operator answers: from a patch, or a finished Job, to the status that shows it.

What the host's own `rpm-ostree status` takes, which every pass asks for and which takes a second on a real node, is
measured in the same run and not counted.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from statistics import median

from agent.kube import Client, Kind, Object
from tools.bench.audit import divide_reaction, read_requests
from tools.bench.bed import IBU, NAMESPACE, OPERATOR, Bed, Follower, is_idle, make_bed
from tools.bench.measure import Figure

RUNS = 20
JOB = Kind("batch", "v1", "Job")
JOB_NAME = "lca-prep-stateroot-setup"
FLOOR = "read and write by hand"
_SEED = {"version": "4.0.0", "image": "quay.io/org/seed:1"}  # older than the cluster: Prep must refuse it
_UNCOUNTED = ""
_DIVIDED = "patch to status: edit while idle"
_RPM_OSTREE = "the host's `rpm-ostree status` (not counted below)"

Matches = Callable[[Object], bool]


def measure() -> Iterator[Figure]:
    """Ask for everything that an idle operator can be asked for, in turns."""
    with make_bed() as bed:
        bed.operator.start()
        Follower(bed.client).run_until(is_idle)
        rounds = [
            {_RPM_OSTREE: _time_rpm_ostree(bed), **_run_once(bed, run), FLOOR: _time_floor(bed.client)}
            for run in range(RUNS + 1)
        ]
        parts = _divide_reactions(bed)
    # The first round imports what is needed and warms the connections.
    taken = {name: tuple(samples[name] for samples in rounds[1:]) for name in rounds[0]}
    host, floor = taken.pop(_RPM_OSTREE), taken.pop(FLOOR)
    yield Figure(_RPM_OSTREE, "", "ms", host)
    for name, values in taken.items():
        yield Figure(name, FLOOR, "ms", tuple(value - median(host) for value in values), floor)
    for name in parts[0]:
        yield Figure(f"{_DIVIDED}: {name}", "", "ms", tuple(each[name] for each in parts))


def _divide_reactions(bed: Bed) -> list[dict[str, float]]:
    """Edit the spec of an idle operator again and again, and tell where the time goes."""
    moments: list[tuple[float, float]] = []
    with contextlib.closing(Follower(bed.client)) as follower:
        for run in range(RUNS):
            sent, clock = time.time(), time.perf_counter()
            edited = bed.client.patch_merge(
                IBU, "upgrade", {"spec": {"autoRollbackOnFailure": {"initMonitorTimeoutSeconds": 1000 + run}}}
            )
            seen = follower.wait_for(partial(_shows, edited["metadata"]["generation"], _always))
            moments.append((sent, sent + seen - clock))
    requests = read_requests(bed.audit_log.read_text().splitlines())
    return [divide_reaction(requests, OPERATOR, sent, seen) for sent, seen in moments]


def _run_once(bed: Bed, run: int) -> dict[str, float]:
    """Go once around the circle that begins and ends with an idle operator; return milliseconds by name."""
    samples: dict[str, float] = {}

    def act(action: Callable[[], Object], reactions: Mapping[str, Matches]) -> None:
        with contextlib.closing(Follower(bed.client)) as follower:
            sent = time.perf_counter()
            generation = action()["metadata"]["generation"]
            for name, matches in reactions.items():
                seen = follower.wait_for(partial(_shows, generation, matches))
                samples[name] = (seen - sent) * 1000

    def patch(**spec: object) -> Callable[[], Object]:
        return lambda: bed.client.patch_merge(IBU, "upgrade", {"spec": spec})

    edit = patch(seedImageRef=_SEED, autoRollbackOnFailure={"initMonitorTimeoutSeconds": run})
    act(edit, {_DIVIDED: _always})
    act(patch(stage="Upgrade"), {"patch to status: invalid transition": _has("InvalidTransition")})
    act(patch(stage="Idle"), {"patch to status: refusal withdrawn": is_idle})
    act(
        patch(stage="Prep"),
        {"patch to status: Prep begins": _always, "patch to status: Prep failed its validation": _has("Prep failed")},
    )
    act(patch(stage="Idle"), {"patch to status: abort begins": _always, "patch to status: abort done": is_idle})
    _launch_job(bed.client)
    act(patch(stage="Prep"), {_UNCOUNTED: _has("Stateroot setup job in progress")})
    act(lambda: _fail_job(bed.client), {"Job finished to status": _has("Prep failed")})
    act(patch(stage="Idle"), {_UNCOUNTED: is_idle})
    del samples[_UNCOUNTED]
    return samples


def _shows(generation: int, matches: Matches, obj: Object) -> bool:
    return obj.get("status", {}).get("observedGeneration", 0) >= generation and matches(obj)


def _always(_: Object) -> bool:
    return True


def _has(text: str) -> Matches:
    """Return a function that looks for a reason or a part of a message."""

    def matches(obj: Object) -> bool:
        conditions = obj.get("status", {}).get("conditions") or []
        return any(text == each["reason"] or text in each["message"] for each in conditions)

    return matches


def _launch_job(client: Client) -> None:
    """Make the Job as Prep would: it runs, and no Pod of it ever starts. The one before may be on its way out."""
    with client.watch(JOB, NAMESPACE, name=JOB_NAME, timeout_seconds=60) as watch:
        if client.find(JOB, JOB_NAME, NAMESPACE):
            next(event for event in watch if event.type == "DELETED")
    upgrade = client.get(IBU, "upgrade")
    owner = {
        "apiVersion": IBU.api_version,
        "kind": IBU.kind,
        "name": "upgrade",
        "uid": upgrade["metadata"]["uid"],
        "controller": True,
    }
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}
    client.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": JOB_NAME, "namespace": NAMESPACE, "ownerReferences": [owner]},
            "spec": {"parallelism": 0, "backoffLimit": 0, "template": {"spec": pod}},
        }
    )


def _fail_job(client: Client) -> Object:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    client.patch_merge(JOB, JOB_NAME, {"status": {"conditions": [failed]}}, NAMESPACE, subresource="status")
    return client.get(IBU, "upgrade")


def _time_rpm_ostree(bed: Bed) -> float:
    started = time.perf_counter()
    subprocess.run([bed.host.programs / "rpm-ostree", "status", "--json"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def _time_floor(client: Client) -> float:
    sent = time.perf_counter()
    client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {"floor": str(sent)}}})
    upgrade = client.get(IBU, "upgrade")
    upgrade["status"]["rollbackAvailabilityExpiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    client.update_status(upgrade)
    return (time.perf_counter() - sent) * 1000
