"""Makes a sandbox in its folder, and starts the process that owns it."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import time

from hostops.runner import HostRunner
from sandbox.controlplane.ports import LOOPBACK
from sandbox.layout import SandboxLayout
from sandbox.node.identity import Identity
from sandbox.node.installation import install_node
from sandbox.node.interpreter import APPLICATION
from sandbox.node.ports import Ports, PortTakenError
from sandbox.node.standins import install_programs
from sandbox.node.sysroot import INSTALLED_STATEROOT, choose_deployment, deploy_stateroot, initialise_sysroot
from sandbox.node.tree import commit_release

_RELEASE_PORTS_SECONDS = 5.0


def make_node(layout: SandboxLayout, identity: Identity, registry: str | None) -> None:
    """Install a node of `identity`; `registry` is the one it pulls from, if not its own.

    The identity is written last: without it the folder counts as not made, and what is there is made anew.
    Raises OSError, CommandError.
    """
    runner = HostRunner()
    subprocess.run(["chattr", "-R", "-f", "-i", str(layout.sysroot)], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(layout.sysroot)
    layout.sysroot.mkdir()
    ports = Ports.choose()
    ports.write(layout.ports_file)
    initialise_sysroot(runner, layout.sysroot)
    reference = commit_release(runner, layout.sysroot / "ostree/repo", identity.version, layout.directory / "tree")
    deploy_stateroot(runner, layout.sysroot, INSTALLED_STATEROOT, reference)
    own_registry = f"{LOOPBACK}:{ports.registry}"
    install_node(runner, choose_deployment(layout.sysroot), identity, registry or own_registry)
    (layout.control / "node-ip").write_text(identity.node_ip)
    layout.kubeconfig.unlink(missing_ok=True)
    layout.kubeconfig.symlink_to("control/kubeconfig")
    identity.write(layout.identity_file)


def start_supervisor(layout: SandboxLayout, lock: int, owner_pid: int | None) -> None:
    """Start the supervisor, detached; it inherits the descriptor `lock`. Raises PortTakenError, OSError."""
    _await_free_ports(Ports.read(layout.ports_file))
    install_programs(layout.bin)
    # The node sees our folder read-only: without compiled modules every `systemctl` would compile anew.
    compileall.compile_dir(str(APPLICATION / "sandbox/node"), quiet=2)
    layout.state_file.unlink(missing_ok=True)
    layout.cluster_ready.unlink(missing_ok=True)
    # Forked twice: nobody who starts a sandbox has to wait for its end.
    command = ["setsid", "--fork", sys.executable, "-m", "sandbox.node.supervisor", "--dir", str(layout.directory)]
    if owner_pid is not None:
        command += ["--owner", str(owner_pid)]
    with (layout.logs / "supervisor.log").open("ab") as log:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(APPLICATION), "MALLOC_ARENA_MAX": "1"},
            pass_fds=(lock,),
            check=True,
        )


def _await_free_ports(ports: Ports) -> None:
    """What a killed supervisor left dies with it, but not in the same instant."""
    deadline = time.monotonic() + _RELEASE_PORTS_SECONDS
    while True:
        try:
            return ports.check_free()
        except PortTakenError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
