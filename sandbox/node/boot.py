"""The command line that boots a deployment: bubblewrap as firmware, kernel and mount table."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict
from pathlib import Path

from hostops.files import write_atomically, write_json
from sandbox.controlplane.binaries import find_binaries
from sandbox.controlplane.ports import LOOPBACK
from sandbox.layout import NODE_MOUNT, SandboxLayout
from sandbox.node.environment import KUBECONFIG, node_environment
from sandbox.node.identity import Identity
from sandbox.node.installation import NODE_KUBECONFIG
from sandbox.node.interpreter import interpreter_mounts
from sandbox.node.ports import Ports
from sandbox.node.standins import INTERPRETER
from sandbox.node.sysroot import Deployment

# Folders of /var that systemd-tmpfiles makes at every boot of a real node.
_VAR_FOLDERS = {
    "home/core/.ssh/authorized_keys.d": 0o700,
    "lib/chrony": 0o755,
    "lib/containers": 0o755,
    "lib/etcd": 0o700,
    "lib/kubelet": 0o700,
    "lib/lca": 0o700,
    "log": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "roothome": 0o700,
    "srv": 0o755,
    "tmp": 0o1777,
    "usrlocal/bin": 0o755,
    "usrlocal/sbin": 0o755,
}


def boot_command(layout: SandboxLayout, deployment: Deployment, *, ready_fd: int, info_fd: int) -> list[str]:
    """Prepare `/var` and what the kernel tells about this boot of `deployment`; return the command that boots it.

    Its exit code is that of process 1 (`sandbox.node.inside.manager`), which writes a line to `ready_fd` when all units
    are started; bubblewrap writes JSON with `child-pid` to `info_fd`. Raises OSError, ControlPlaneError.
    """
    _make_var(deployment.var)
    kernel_files = _write_kernel_files(layout, deployment)
    environment = [word for pair in node_environment().items() for word in ("--setenv", *pair)]
    program = [f"{NODE_MOUNT}/bin/{INTERPRETER}", "-S", "-m", "sandbox.node.inside.init"]
    return [
        "bwrap",
        *_mounts(layout, deployment),
        *kernel_files,
        *("--die-with-parent", "--as-pid-1", "--unshare-pid", "--unshare-uts", "--unshare-ipc"),
        *("--info-fd", str(info_fd), "--hostname", _hostname(deployment), "--clearenv", *environment),
        *("--setenv", "SANDBOX_READY_FD", str(ready_fd)),
        *("--chdir", "/", *program),
    ]


def lead_home(deployment: Deployment, ports: Ports) -> None:
    """Let the node's kubeconfig name the node's own API server, also when it came with the seed. Raises OSError.

    The name in it leads every node to itself; nodes that share one loopback differ by port, and the seed may be up.
    """
    path = deployment.root / NODE_KUBECONFIG
    if path.exists():
        text = re.sub(rf"(?m)^( *server: https://{re.escape(LOOPBACK)}:)\d+$", rf"\g<1>{ports.api}", path.read_text())
        write_atomically(path, text, 0o600)


def write_cluster_config(layout: SandboxLayout, deployment: Deployment, identity: Identity, ports: Ports) -> None:
    """Write what `sandbox.cluster` needs to know in this boot (its `ClusterConfig`). Raises OSError."""
    names = asdict(identity)
    is_seed = names.pop("seed")
    values = {
        "run_directory": "/run/sandbox-cluster",
        "logs_dir": f"{NODE_MOUNT}/logs/cluster",
        "lvm_dir": f"{NODE_MOUNT}/lvm",
        "faults_file": f"{NODE_MOUNT}/control/faults.json",
        "kubeconfigs": [str(KUBECONFIG), f"/{NODE_KUBECONFIG}"],
        "ready_file": str(layout.in_node(layout.cluster_ready)),
        "api_port": ports.api,
        "kubelet_port": ports.kubelet,
        **names,
        "version": deployment.release or identity.version,
        "object_store": None if is_seed else {"url": f"http://{LOOPBACK}:{ports.s3}"},
        "programs": [f"{NODE_MOUNT}/bin"],
        "program_mounts": [str(NODE_MOUNT)],
        "deploy_dir": f"{NODE_MOUNT}/app/deploy",
        "stateroot": deployment.stateroot,
    }
    write_json(layout.cluster_config, values)


def _mounts(layout: SandboxLayout, deployment: Deployment) -> list[str]:
    var = deployment.var
    read_write: list[tuple[Path, str]] = [
        (layout.sysroot, "/sysroot"),
        (layout.sysroot / "boot", "/boot"),
        (var, "/var"),
        (layout.containers, "/var/lib/containers"),
        (layout.run, "/run"),
        *((folder, f"{NODE_MOUNT}/{folder.name}") for folder in (layout.bin, layout.control, layout.lvm, layout.logs)),
    ]
    # The machine's /usr hides the commit's; what names the release has to come through, and /usr/local is the node's.
    read_only: list[tuple[Path, Path | str]] = [
        (deployment.root / "usr/lib/os-release", "/usr/lib/os-release"),
        (find_binaries().api_server.parent, f"{NODE_MOUNT}/assets"),
        *interpreter_mounts(),
    ]
    arguments = ["--bind", str(deployment.root), "/", "--ro-bind", "/usr", "/usr"]
    arguments += ["--bind", str(var / "usrlocal"), "/usr/local"]
    for folder, target in read_write:
        arguments += ["--bind", str(folder), target]
    for source, place in read_only:
        arguments += ["--ro-bind", str(source), str(place)]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    arguments += ["--ro-bind", "/sys", "/sys", "--tmpfs", "/tmp"]  # noqa: S108
    if Path("/sys/fs/cgroup").is_dir():
        arguments += ["--bind", "/sys/fs/cgroup", "/sys/fs/cgroup"]
    return arguments


def _write_kernel_files(layout: SandboxLayout, deployment: Deployment) -> list[str]:
    """Write what the machine's own kernel would answer wrongly, and return the mounts that put it in place."""
    arguments = []
    for name, place, text in (
        ("cmdline", "/proc/cmdline", deployment.kernel_arguments),
        ("boot_id", "/proc/sys/kernel/random/boot_id", str(uuid.uuid4())),
    ):
        file = layout.control / name
        file.write_text(text + "\n")
        arguments += ["--ro-bind", str(file), place]
    return arguments


def _make_var(var: Path) -> None:
    for name, mode in _VAR_FOLDERS.items():
        folder = var / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(mode)


def _hostname(deployment: Deployment) -> str:
    file = deployment.root / "etc/hostname"
    return (file.read_text().strip() if file.is_file() else "") or "localhost"
