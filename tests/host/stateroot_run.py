"""One run of the stateroot setup on a scratch node, as a process that can be killed: `python -m ... JSON`.

It differs from production in the scope's prefix only: commands enter the scratch node instead of this machine's init.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from agent.node.main import run_body
from agent.node.stateroot.request import SetupRequest
from agent.node.stateroot.setup import SETUP_STATEROOT, Setup, set_up_stateroot
from agent.workflow.outcome import Outcome
from agent.workflow.step import Step
from seeds.autorollback import AutoRollbackConfig
from tests.host.scratchnode import ScratchNode

CRYPTO = {"admin-kubeconfig-client-ca.crt": b"CA\n", "ingresskey-ingress-operator.key": b"KEY\n"}


def start_run(node: ScratchNode, image: str, version: str, **options: str) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    values = {"node": str(node.directory), "image": image, "version": version, **options}
    return subprocess.Popen([sys.executable, "-m", __name__, json.dumps(values)], stderr=subprocess.PIPE)


def finish_run(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a run and return its exit code and log."""
    _, log = process.communicate(timeout=120)
    return process.returncode, log.decode()


def _die_after(step: Step[Setup]) -> Step[Setup]:
    def run(setup: Setup) -> Outcome:
        step.run(setup)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    return replace(step, run=run)


def main(text: str) -> int:
    options = json.loads(text)
    node = ScratchNode(Path(options["node"]))
    request = SetupRequest(
        image=options["image"],
        version=options["version"],
        stateroot="rhcos_" + options["version"],
        auto_rollback=AutoRollbackConfig(),
        kubeconfig_crypto=CRYPTO,
        pull_secret=options["pull_secret"].encode() if "pull_secret" in options else None,
    )
    setup = Setup(request, node.root, node.runner, node.runner, pause=lambda seconds: None)
    deadly = options.get("die_after", "")
    steps = tuple(_die_after(step) if step.name == deadly else step for step in SETUP_STATEROOT.steps)
    return run_body("stateroot-setup", lambda: set_up_stateroot(setup, replace(SETUP_STATEROOT, steps=steps)))


if __name__ == "__main__":
    import logging

    logging.basicConfig(level="INFO", format="%(message)s")
    sys.exit(main(sys.argv[1]))
