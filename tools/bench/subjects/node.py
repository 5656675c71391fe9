"""The node programs on a scratch node, against the same host commands written down in a shell script."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from agent.node.precache.program import PrecacheRequest, precache
from hostops.stateroots import Stateroots
from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import Registry
from tests.host.images import Storage
from tests.host.scratchnode import ScratchNode
from tests.host.seedimage import VERSION, SeedFiles, build_seed, pack
from tests.host.stateroot_run import finish_run, start_run
from tools.bench.measure import Figure

MIB = 1024**2
STATEROOT = f"rhcos_{VERSION}"
IMAGES = 50
RUNS = 3

SETUP_BY_HAND = f"""
set -e
podman pull -q --authfile /var/lib/kubelet/config.json $IMAGE
mount /sysroot -o remount,rw
seed=$(podman image mount $IMAGE)
work=$(mktemp -d -p /var/tmp); mkdir $work/ostree
attributes='--selinux --xattrs --xattrs-include=* --acls'
tar xzf $seed/ostree.tgz -C $work/ostree $attributes
ostree pull-local --disable-verify-bindings $work/ostree
ostree admin os-init {STATEROOT}
ostree admin --help >/dev/null
ostree admin deploy --os {STATEROOT} --no-prune --karg-append tsc=nowatchdog --karg ibu={VERSION} $COMMIT \\
  --not-as-default
rpm-ostree cleanup -b
deployment=$(ostree admin status | sed -n 's/^ *{STATEROOT} \\([^ ]*\\).*/\\1/p')
stateroot=/ostree/deploy/{STATEROOT}
cp $seed/ostree-*.origin $stateroot/deploy/$deployment.origin
tar xzf $seed/var.tgz -C $stateroot $attributes
tar xzf $seed/etc.tgz -C $stateroot/deploy/$deployment $attributes
rm -rf $stateroot/deploy/$deployment/etc/removed-by-seed $stateroot/deploy/$deployment/etc/containers
cp $seed/containers.list $seed/manifest.json /var/tmp/
podman image umount $IMAGE
podman rmi $IMAGE
rm -rf $work
sync -f /sysroot
"""
SKOPEO_BY_HAND = "xargs -P 10 -I {} skopeo copy -q docker://{} containers-storage:{}"
PODMAN_BY_HAND = "xargs -P 10 -I {} podman pull -q --authfile /var/lib/kubelet/config.json {}"


def measure() -> Iterator[Figure]:
    """Build a node and a registry with seeds of two sizes and 50 images; compare both programs."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        registry = Registry(directory / "registry", choose_free_port(), log_file=directory / "registry.log")
        registry.start()
        stack.callback(registry.stop)
        publisher = Storage(directory / "publisher", registry)
        stack.callback(publisher.destroy)
        node = ScratchNode(directory / "node")
        stack.callback(node.destroy)
        node.create()
        node.boot()
        node.trust_registry(registry.address)
        yield _measure_setup(node, publisher, "a seed of 10 KiB", build_seed(directory / "small"))
        yield _measure_setup(node, publisher, "a seed of 160 MiB", _build_large_seed(directory / "large"))
        yield from _measure_precache(node, publisher)


def _build_large_seed(directory: Path) -> SeedFiles:
    """Return a seed with 2000 files of 64 KiB in its operating system and 32 MiB in its `/var`."""
    seed = build_seed(directory, {f"usr/share/bench/{number}": os.urandom(64 * 1024) for number in range(2000)})
    return SeedFiles({**seed.files, "var.tgz": pack({"var/lib/large": (os.urandom(32 * MIB), 0o644)})}, seed.commit)


def _measure_setup(node: ScratchNode, publisher: Storage, name: str, seed: SeedFiles) -> Figure:
    image = seed.push(publisher, f"bench/seed:{len(seed.files['ostree.tgz'])}")

    def ours() -> None:
        code, log = finish_run(start_run(node, image, VERSION))
        assert code == 0, log

    def floor() -> None:
        _run_on_node(node, SETUP_BY_HAND, {"IMAGE": image, "COMMIT": seed.commit})

    def reset() -> None:
        Stateroots(node.runner, node.root).remove_unbooted()
        _run_on_node(
            node, "ostree refs --delete os/$VERSION; ostree prune --refs-only; sync -f /sysroot", {"VERSION": VERSION}
        )

    return _compare(f"stateroot-setup, {name}", ours, "the same commands in a shell script", floor, reset)


def _measure_precache(node: ScratchNode, publisher: Storage) -> Iterator[Figure]:
    images = [publisher.push(f"bench/image{number}:1", {"f": os.urandom(2 * MIB)}) for number in range(IMAGES)]
    text = "\n".join(images)

    def ours() -> None:
        precache(PrecacheRequest(tuple(images)), node.root, node.runner)

    def reset() -> None:
        _run_on_node(node, "podman rmi -af", {})

    for floor_name, script in (("skopeo copy", SKOPEO_BY_HAND), ("podman pull", PODMAN_BY_HAND)):
        floor = partial(_run_on_node, node, script, {}, text)
        yield _compare(f"precache of {IMAGES} images", ours, f"xargs -P 10 {floor_name}", floor, reset)


def _compare(
    name: str, ours: Callable[[], None], floor_name: str, floor: Callable[[], None], reset: Callable[[], None]
) -> Figure:
    """Time both in turns, in seconds, on a node that is brought back to its first state before each."""
    samples: tuple[list[float], list[float]] = ([], [])
    for run in range(RUNS + 1):
        for index, call in enumerate((ours, floor)):
            reset()
            start = time.perf_counter()
            call()
            if run:  # the first round warms the caches
                samples[index].append(time.perf_counter() - start)
    reset()
    return Figure(name, floor_name, "s", tuple(samples[0]), tuple(samples[1]))


def _run_on_node(node: ScratchNode, script: str, variables: Mapping[str, str], text: str = "") -> None:
    assignments = [f"{key}={value}" for key, value in variables.items()]
    argv = node.runner.scope.argv(("env", *assignments, "bash", "-c", script))
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
