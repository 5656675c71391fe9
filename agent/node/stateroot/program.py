"""`lca-node stateroot-setup`: the Job of Prep that builds the new stateroot."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from agent.node.ending import ProgramError
from agent.node.stateroot.setup import Setup, set_up_stateroot
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import DIRECT, NSENTER, host_scope

DEFAULT_NAMESPACE = "openshift-lifecycle-agent"


def main(argv: Sequence[str]) -> None:
    """Build the stateroot that the upgrade resource asks for. Raises ProgramError."""
    parser = argparse.ArgumentParser(prog="lca-node stateroot-setup", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, help="reach the API by this file (default: as the Pod this runs in)")
    options = parser.parse_args(argv)
    from agent.kube import Client
    from agent.kube.errors import AccessError
    from agent.node.stateroot.collect import read_request

    try:
        client = Client.connect(options.kubeconfig)
    except AccessError as error:
        raise ProgramError(f"failed to create client for stateroot setup job: {error}") from error
    with client:
        request = read_request(client, os.environ.get("MY_POD_NAMESPACE") or DEFAULT_NAMESPACE)
    root = HostRoot.detect()
    in_pod = root.visible != Path("/")
    setup = Setup(request, root, HostRunner(host_scope()), HostRunner(NSENTER if in_pod else DIRECT))
    set_up_stateroot(setup)
