"""The whole operator as a process: its start, and what it costs to have it idle.

Where nothing smaller could do the job, the figures of the original operator (Go), taken on a machine like this one,
stand in the place of the floor.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tools.bench.bed import IBU, Bed, Follower, is_idle, make_bed, read_cpu_seconds
from tools.bench.measure import Figure

ORIGINAL = "the original operator"
STARTS = 10
IDLE_SECONDS = 60.0
IDLE_WINDOWS = 3
_IDLE = {
    "resident memory": ("MB", 69.0),
    "of it anonymous": ("MB", 15.0),
    "processor time a minute": ("s", 0.035),
    "API requests a minute": ("", 1.25),
}


def measure() -> Iterator[Figure]:
    """Start it several times, let it refuse a Prep, abort, and leave it alone."""
    with make_bed() as bed:
        yield from _measure_start(bed)
        _load_everything(bed)
        yield from _measure_idle(bed)


def _measure_start(bed: Bed) -> Iterator[Figure]:
    """From exec to the created resource; the last run stays."""
    seconds, cpu_seconds = [], []
    for run in range(STARTS):
        if run:
            bed.operator.kill()
            bed.client.delete(IBU, "upgrade")
        with contextlib.closing(Follower(bed.client)) as follower:
            started = time.perf_counter()
            bed.operator.start()
            seconds.append(follower.wait_for(lambda obj: True) - started)
            cpu_seconds.append(read_cpu_seconds(bed.operator.pid))
            follower.wait_for(is_idle)
    yield Figure("start to resource created", ORIGINAL, "s", tuple(seconds), (0.13,))
    yield Figure("start: processor time until then", "", "s", tuple(cpu_seconds))


def _load_everything(bed: Bed) -> None:
    """Idle means: after the modules of Prep and cleanup were needed once."""
    for spec, matches in (
        ({"stage": "Prep", "seedImageRef": {"version": "4.0.0", "image": "quay.io/org/seed:1"}}, _has_failed),
        ({"stage": "Idle"}, is_idle),
    ):
        follower = Follower(bed.client)
        bed.client.patch_merge(IBU, "upgrade", {"spec": spec})
        follower.run_until(matches)


def _has_failed(obj: dict[str, object]) -> bool:
    return "'reason': 'Failed'" in str(obj.get("status"))


def _measure_idle(bed: Bed) -> Iterator[Figure]:
    time.sleep(10)  # let what follows the last reaction end: idle means that nothing is left to do
    pid = bed.operator.pid
    taken: dict[str, list[float]] = {name: [] for name in _IDLE}
    for _ in range(IDLE_WINDOWS):
        cpu, requests = read_cpu_seconds(pid), bed.count_requests()
        time.sleep(IDLE_SECONDS)
        memory = _read_memory(pid)
        a_minute = 60 / IDLE_SECONDS
        taken["resident memory"].append(memory["Rss"])
        taken["of it anonymous"].append(memory["Anonymous"])
        taken["processor time a minute"].append((read_cpu_seconds(pid) - cpu) * a_minute)
        taken["API requests a minute"].append((bed.count_requests() - requests) * a_minute)
    for name, (unit, original) in _IDLE.items():
        yield Figure(f"idle: {name}", ORIGINAL, unit, tuple(taken[name]), (original,))


def _read_memory(pid: int) -> dict[str, float]:
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines}
