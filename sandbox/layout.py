"""Where everything of one sandbox lies below its folder D, and where the node sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NODE_MOUNT = Path("/sandbox")
"""Folder of the booted node that holds the mount points of the sandbox's own parts (they are in the ostree tree)."""


@dataclass(frozen=True)
class SandboxLayout:
    """All paths of the sandbox in `directory`, as seen from the machine.

    `in_node` gives the path of the same file inside the booted node; only `bin`, `control`, `lvm`, `logs`, `run`,
    `containers` and `sysroot` are visible there.
    """

    directory: Path

    @property
    def sysroot(self) -> Path:
        """The physical ostree sysroot; `/sysroot` of the node."""
        return self.directory / "sysroot"

    @property
    def containers(self) -> Path:
        """`/var/lib/containers` of the node: its own disk, shared by all stateroots."""
        return self.directory / "containers"

    @property
    def lvm(self) -> Path:
        """Logical volumes (`<vg>/<volume id>/`): a second disk that survives pivots."""
        return self.directory / "lvm"

    @property
    def run(self) -> Path:
        """`/run` of the node; emptied at every boot."""
        return self.directory / "run"

    @property
    def bin(self) -> Path:
        """Stand-ins and recording wrappers, first on the PATH of everything that runs on the node."""
        return self.directory / "bin"

    @property
    def logs(self) -> Path:
        """One `<unit>.log` per unit of the node and one log per part outside of it."""
        return self.directory / "logs"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig of the node's cluster; a link to the file that the node writes."""
        return self.directory / "kubeconfig"

    @property
    def registry(self) -> Path:
        """Storage of the container registry outside the node."""
        return self.directory / "outside" / "registry"

    @property
    def s3(self) -> Path:
        """What the S3 server outside the node keeps over `down` and `up`."""
        return self.directory / "outside" / "s3"

    @property
    def control(self) -> Path:
        """State of the sandbox itself."""
        return self.directory / "control"

    @property
    def state_file(self) -> Path:
        """Booted deployment, process ids, phase; written by the supervisor at every change."""
        return self.control / "state.json"

    @property
    def ports_file(self) -> Path:
        """Ports chosen at the first start and kept."""
        return self.control / "ports.json"

    @property
    def identity_file(self) -> Path:
        """Node name, cluster name and domain, version: fixed when the sandbox is made."""
        return self.control / "identity.json"

    @property
    def cluster_ready(self) -> Path:
        """Exists while the node's cluster answers and holds all objects of its first boot."""
        return self.control / "cluster-ready"

    @property
    def cluster_config(self) -> Path:
        """Configuration of `python -m sandbox.cluster`; written at every boot."""
        return self.control / "cluster.json"

    @property
    def faults_file(self) -> Path:
        """See `sandbox.faults`."""
        return self.control / "faults.json"

    @property
    def command_faults_file(self) -> Path:
        """The command faults again, one per line, for the stand-ins written in bash."""
        return self.control / "command-faults"

    @property
    def commands_log(self) -> Path:
        """Every command that ran on the node; see `sandbox.node.commands`."""
        return self.control / "commands"

    @property
    def unsynced_notes(self) -> Path:
        """What programs of ours have written since the boot; see `sandbox.node.powerloss`."""
        return self.control / "unsynced"

    @property
    def lock_file(self) -> Path:
        """Locked by the running supervisor."""
        return self.control / "lock"

    @property
    def supervisor_pid_file(self) -> Path:
        """Process id of the supervisor; meaningful only while `lock_file` is locked."""
        return self.control / "supervisor.pid"

    @property
    def supervisor_socket(self) -> Path:
        """Unix socket on which the supervisor takes requests."""
        return self.control / "supervisor.sock"

    def in_node(self, path: Path) -> Path:
        """The path under which the booted node sees `path`. Raises ValueError if it does not see it."""
        for outside, inside in (
            (self.sysroot, Path("/sysroot")),
            (self.containers, Path("/var/lib/containers")),
            (self.run, Path("/run")),
            (self.bin, NODE_MOUNT / "bin"),
            (self.control, NODE_MOUNT / "control"),
            (self.lvm, NODE_MOUNT / "lvm"),
            (self.logs, NODE_MOUNT / "logs"),
        ):
            if path.is_relative_to(outside):
                return inside / path.relative_to(outside)
        raise ValueError(f"{path} is not visible on the node of {self.directory}")

    def make_directories(self) -> None:
        """Create every folder that is missing."""
        for path in (
            *(self.sysroot, self.containers, self.lvm, self.run, self.bin, self.logs),
            *(self.registry, self.s3, self.control),
        ):
            path.mkdir(parents=True, exist_ok=True)
