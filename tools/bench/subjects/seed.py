"""A seed image of a scratch node with a real operating system's files, against the original's commands in a script."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from agent.node.seed import create
from agent.node.seed.creation import CREATE_SEED, Creation
from agent.node.seed.request import SeedRequest
from agent.workflow.outcome import Outcome
from agent.workflow.step import Step
from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import Registry
from tests.host.scratchnode import ScratchNode, call
from tests.host.seed_run import PROGRAM, connect
from tests.host.seednode import make_seed_node, pretend_api_steps
from tools.bench.measure import Figure

RUNS = 3
MIB = 1024**2
SYSTEM, VAR = ("/usr/bin", "/usr/lib/x86_64-linux-gnu"), "/usr/share/locale"
OWN_SHARE = 0.02
"""Steps that take less of the whole are not listed."""

ARCHIVES = """
set -e
mkdir -p /var/tmp/backup
tar czf /var/tmp/backup/ostree.tgz -C /ostree/repo . --selinux --xattrs '--xattrs-include=*' --acls
tar czf /var/tmp/backup/var.tgz --exclude '/var/tmp/*' --exclude '/var/lib/containers/*' /var \\
  --selinux --xattrs '--xattrs-include=*' --acls 2>/dev/null
ostree admin config-diff | awk '$1 != "D" {print "/etc/" $2}' | tar czf /var/tmp/backup/etc.tgz -T - 2>/dev/null || true
"""
PUSH = """
set -e
printf 'FROM scratch\\nCOPY . /\\n' >/tmp/dockerfile
podman build -q --file /tmp/dockerfile --tag $IMAGE /var/tmp/backup
podman push -q --authfile /var/lib/kubelet/config.json $IMAGE
"""
TIDY = "podman rmi -af >/dev/null; rm -rf /var/tmp/backup"


def measure() -> Iterator[Figure]:
    """Make images of one node with both, in turns."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp")))
        registry = Registry(directory / "registry", choose_free_port(), log_file=directory / "registry.log")
        registry.start()
        stack.callback(registry.stop)
        node = ScratchNode(directory / "node")
        stack.callback(node.destroy)
        node.create()
        for folder in SYSTEM:
            repo = f"--repo={node.sysroot}/ostree/repo"
            call("ostree", repo, "commit", f"--branch=bench{folder}", f"--tree=dir={folder}")
        node.boot()
        make_seed_node(node, registry.address)
        call("cp", "-a", VAR, str(node.root.path("/var/lib")))
        yield from _compare(node, f"{registry.address}/bench/seed")


def _compare(node: ScratchNode, image: str) -> Iterator[Figure]:
    ours, theirs, steps = [], [], []
    for run in range(RUNS + 1):
        mine, his = _make_ours(node, f"{image}:ours{run}"), _make_theirs(node, f"{image}:script{run}")
        if run:  # the first round warms the caches
            ours.append(mine[:2])
            theirs.append(his)
            steps.append(mine[2])
    whole = tuple(sum(timings.values()) for timings in steps)
    name, floor = "seed image, 1.5 GiB of files", "the original's commands in a shell script"
    yield Figure(f"{name}: time", floor, "s", tuple(o[0] for o in ours), tuple(t["seconds"] for t in theirs))
    packing = tuple(sum(t[s] for s in ("backup_ostree", "backup_var", "backup_etc")) for t in steps)
    yield Figure(f"{name}: archives", "tar czf", "s", packing, tuple(t["archives"] for t in theirs))
    pushing = tuple(t["complete_image"] + t["push_seed_image"] for t in steps)
    yield Figure(f"{name}: push", "podman build, podman push", "s", pushing, tuple(t["push"] for t in theirs))
    sizes = tuple(_measure_image(f"{image}:ours{run}") for run in range(1, RUNS + 1))
    floors = tuple(_measure_image(f"{image}:script{run}") for run in range(1, RUNS + 1))
    yield Figure(f"{name}: size", floor, "MiB", sizes, floors)
    yield Figure(f"{name}: peak disk use", floor, "MiB", tuple(o[1] for o in ours), tuple(t["peak"] for t in theirs))
    for step in CREATE_SEED.steps:
        samples = tuple(timings[step.name] for timings in steps)
        if max(samples) / max(whole) > OWN_SHARE:
            yield Figure(f"{name}: step {step.name}", "all steps", "s", samples, whole)


def _make_ours(node: ScratchNode, image: str) -> tuple[float, float, dict[str, float]]:
    """Return seconds with the restoration, peak disk use in MiB, and seconds of each step."""
    pretend_api_steps(node)
    timings: dict[str, float] = {}

    def timed(step: Step[Creation]) -> Step[Creation]:
        def run(creation: Creation) -> Outcome:
            began = time.perf_counter()
            outcome = step.run(creation)
            timings[step.name] = time.perf_counter() - began
            return outcome

        return replace(step, run=run)

    create.CREATE_SEED = replace(CREATE_SEED, steps=tuple(timed(step) for step in CREATE_SEED.steps))
    creation = Creation(SeedRequest(image, recert=False), node.root, node.runner, connect, program=PROGRAM)
    with _watch_disk(node) as peak:
        began = time.perf_counter()
        create.create_seed(creation)
        seconds = time.perf_counter() - began
    return seconds, peak[0], timings


def _make_theirs(node: ScratchNode, image: str) -> dict[str, float]:
    with _watch_disk(node) as peak:
        archives, push = _run(node, ARCHIVES, image), _run(node, PUSH, image)
    _run(node, TIDY, image)
    return {"seconds": archives + push, "archives": archives, "push": push, "peak": peak[0]}


def _run(node: ScratchNode, script: str, image: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        node.runner.scope.argv(("env", f"IMAGE={image}", "bash", "-c", script)), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began


@contextlib.contextmanager
def _watch_disk(node: ScratchNode) -> Iterator[list[float]]:
    """Yield a list with the most that was used on the disk beyond what is used now, in MiB."""
    peak, stop = [0.0], threading.Event()
    before = _measure_disk(node)

    def watch() -> None:
        while not stop.wait(0.2):
            peak[0] = max(peak[0], _measure_disk(node) - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _measure_disk(node: ScratchNode) -> float:
    folders = [str(node.root.path(f"/var/{name}")) for name in ("tmp", "lib/containers")]
    done = subprocess.run(["du", "-sm", "-c", *folders], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-2])


def _measure_image(image: str) -> float:
    from hostops.runner import HostRunner
    from hostops.skopeo import Skopeo

    return Skopeo(HostRunner()).inspect(image, "", tls_verify=False).compressed_bytes / MIB
