"""Taking figures: something of ours and a floor (the least that could do the same), in turns."""

from __future__ import annotations

import compileall
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_REPORT = """
import sys
sys.stdout.write(open("/proc/self/statm").read().split()[1])
"""


def compile_sources() -> None:
    """Compile our own modules, as an image does: processes that are measured may not be able to write the results."""
    for package in ("agent", "crds", "hostops", "sandbox", "seeds"):
        compileall.compile_dir(str(Path(__file__).parents[2] / package), quiet=2)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: samples of ours and of the floor, in `unit`; without floor there is nothing to compare."""

    name: str
    floor_name: str
    unit: str
    samples: tuple[float, ...]
    floor_samples: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """Median of ours."""
        return statistics.median(self.samples)

    @property
    def p95(self) -> float:
        """What 95 of 100 samples of ours do not exceed."""
        return statistics.quantiles(self.samples, n=20, method="inclusive")[-1]

    @property
    def floor_median(self) -> float:
        """Median of the floor."""
        return statistics.median(self.floor_samples)

    @property
    def ratio(self) -> float:
        """Median of ours divided by that of the floor: what means something on another machine, too."""
        return self.median / self.floor_median


def compare_calls(
    name: str, call: Callable[[], object], floor_name: str, floor: Callable[[], object], *, runs: int, warm_up: int = 10
) -> Figure:
    """Time two functions in turns, after some calls that do not count; milliseconds."""
    for _ in range(warm_up):
        call()
        floor()
    pairs = [(_time_ms(call), _time_ms(floor)) for _ in range(runs)]
    ours, floors = zip(*pairs, strict=True)
    return Figure(name, floor_name, "ms", ours, floors)


def compare_processes(name: str, code: str, floor_name: str, floor_code: str, *, runs: int) -> Iterator[Figure]:
    """Compare two pieces of code, each in a Python process of its own: processor time (ms), resident memory (MiB)."""
    for warm in (code, floor_code):
        _run_python(warm)
    pairs = [(_run_python(code), _run_python(floor_code)) for _ in range(runs)]
    for index, (what, unit) in enumerate((("time", "ms"), ("memory", "MiB"))):
        ours = tuple(ours[index] for ours, _ in pairs)
        floors = tuple(floor[index] for _, floor in pairs)
        yield Figure(f"{name}: {what}", floor_name, unit, ours, floors)


def _time_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def _run_python(code: str) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code + _REPORT], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds * 1000, int(done.stdout) * resource.getpagesize() / 2**20
