"""Processors of this node, for comparison with those of the seed."""

from __future__ import annotations

from hostops.hostroot import HostRoot
from seeds.format import CpuTopology

CPUS = "/sys/devices/system/cpu"


def read_cpu_topology(root: HostRoot) -> CpuTopology | None:
    """Count sockets, cores and threads that are online; None where the kernel does not tell."""
    packages, cores, threads = set(), set(), 0
    for folder in root.path(CPUS).glob("cpu[0-9]*/topology"):
        try:
            package, core = ((folder / name).read_text().strip() for name in ("physical_package_id", "core_id"))
        except OSError:  # taken offline this moment
            continue
        packages.add(package)
        cores.add((package, core))
        threads += 1
    return CpuTopology(len(packages), len(cores), threads) if threads else None
