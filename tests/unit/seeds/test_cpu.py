from pathlib import Path

import pytest

from hostops.hostroot import HostRoot
from seeds.cpu import read_cpu_topology
from seeds.format import CpuTopology


@pytest.fixture
def add_cpu(tmp_path):
    """A function that gives the node one more hardware thread."""

    def add(number, package, core):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{package}\n")
        (folder / "core_id").write_text(f"{core}\n")

    return add


def test_topology_counts_cores_per_socket(tmp_path, add_cpu):
    for number in range(8):
        add_cpu(number, package=number % 2, core=number // 4)
    assert read_cpu_topology(HostRoot(tmp_path)) == CpuTopology(sockets=2, cores=4, threads=8)


def test_topology_leaves_out_what_is_offline(tmp_path, add_cpu):
    add_cpu(0, 0, 0)
    (tmp_path / "sys/devices/system/cpu/cpu1").mkdir()
    assert read_cpu_topology(HostRoot(tmp_path)) == CpuTopology(1, 1, 1)


def test_topology_that_the_kernel_does_not_tell_is_unknown(tmp_path):
    assert read_cpu_topology(HostRoot(tmp_path)) is None


def test_topology_of_this_machine_is_plausible():
    found = read_cpu_topology(HostRoot(Path("/")))
    assert found is None or 1 <= found.sockets <= found.cores <= found.threads
