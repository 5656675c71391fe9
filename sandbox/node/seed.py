"""A seed image of another release, taken from a node that is made for it.

The seed node is a sandbox inside the sandbox's folder. Its cluster is run once; then the builder (`lca-node seed
create`) makes the image of it, as it does on a real seed node, and the node is thrown away.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from agent.kube import Client, Kind, errors
from hostops.runner import CommandError, HostRunner, Runner
from sandbox.cluster.following import Stopping, follow
from sandbox.node.failure import SandboxError
from sandbox.node.identity import Identity
from sandbox.node.oci import push_image, unpack_layout
from sandbox.node.payload import RECERT, push_payload
from sandbox.node.ports import Ports
from sandbox.node.sandbox import Sandbox, Say
from sandbox.node.seed_defects import BROKEN, SeedParts
from seeds import format as seed_format
from seeds.format import SeedClusterInfo

_OPERATOR_SECONDS = 120.0
_UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
REPOSITORY = "openshift/seed"
PAYLOAD = ("etcd", "kube-apiserver", "lifecycle-agent")
"""Images of the release that Prep pulls ahead."""

_LAYOUT = "var/tmp/backup/layout"
"""Where the builder leaves the image on the node, below its root."""


def make_seed(sandbox: Sandbox, version: str, broken: str | None = None, say: Say = lambda _: None) -> str:
    """Make, push and name a seed image of `version` for `sandbox`, which must run. Returns the pull spec.

    The image's files are kept in the sandbox's folder; a second image of the same release takes seconds.
    Raises SandboxError, OSError.
    """
    if not sandbox.is_running:
        raise SandboxError(f"the sandbox in {sandbox.layout.directory} does not run, and so has no registry")
    try:
        return _make_seed(HostRunner(), sandbox, version, broken, say)
    except CommandError as error:
        raise SandboxError(f"making the seed image failed at `{' '.join(error.argv)}`: {error}") from error
    except errors.ApiError as error:
        raise SandboxError(f"making the seed image failed: the seed node's API server: {error}") from error
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout or "").strip().splitlines()
        raise SandboxError(f"making the seed image failed: {words[-1] if words else error}") from error


def _make_seed(runner: Runner, sandbox: Sandbox, version: str, broken: str | None, say: Say) -> str:
    registry = f"127.0.0.1:{Ports.read(sandbox.layout.ports_file).registry}"
    kept = sandbox.layout.directory / "seeds" / version
    reference = f"{registry}/{REPOSITORY}:{version}"
    if not (kept / "labels.json").exists():
        _create_seed(runner, kept, version, registry, reference, say)
        if not broken:
            return reference
    parts = _read_parts(kept)
    with tempfile.TemporaryDirectory(dir=sandbox.layout.directory) as scratch:
        image = Path(scratch) / "image"
        shutil.copytree(parts.folder, image)
        parts = replace(parts, folder=image)
        if broken:
            BROKEN[broken][1](parts)
            reference += f"-{broken}"
        say("pushing the image")
        push_image(runner, Path(scratch) / "layout", image, reference, parts.labels)
    return reference


def _create_seed(runner: Runner, kept: Path, version: str, registry: str, reference: str, say: Say) -> None:
    """Make the image `reference` on a seed node, and keep its files."""
    seed = Sandbox(kept.with_name(f"{kept.name}-node"))
    seed.layout.make_directories()
    for part in ("registry-down", "s3-down"):  # it uses the registry of the other node
        seed.faults.set(part)
    try:
        say(f"booting a seed node of {version}")
        seed.create(Identity.make(version, cluster_name="seed", seed=True), registry=registry)
        seed.start(owner_pid=os.getpid())  # it must not outlive the making
        images = [*(f"openshift/{name}:{version}" for name in PAYLOAD), RECERT]
        payload = push_payload(runner, seed.layout.directory, [f"{registry}/{image}" for image in images])
        seed.wait_ready()
        _remove_upgrade(seed)
        say("making the image")
        seed.run("podman", "pull", "-q", *payload)
        authfile = "/var/lib/kubelet/config.json"
        options = ("--authfile", authfile, "--recert-image", f"{registry}/{RECERT}", "--skip-cleanup")
        seed.run("lca-cli", "create", "--image", reference, *options)
        shutil.rmtree(kept, ignore_errors=True)
        (kept / "files").mkdir(parents=True)
        stateroot = seed.layout.sysroot / "ostree/deploy" / str(seed.state()["booted"]["stateroot"])
        labels = unpack_layout(stateroot / _LAYOUT, kept / "files")
        (kept / "labels.json").write_text(json.dumps(labels))
    finally:
        seed.down()
        seed.purge()


def _remove_upgrade(seed: Sandbox) -> None:
    """Delete the upgrade's resource, which must not be in a seed; the stopped operator can not make it anew."""
    stop = Stopping()
    timer = threading.Timer(_OPERATOR_SECONDS, stop.set)
    timer.start()
    try:
        with Client.connect(seed.layout.kubeconfig) as client:
            if next(follow(client, _UPGRADE, stop, name="upgrade"), None) is None:
                raise SandboxError(f"the seed node's operator has made no resource in {_OPERATOR_SECONDS:g} s")
            seed.run("pkill", "-STOP", "-f", "agent.cli.main")
            client.delete(_UPGRADE, "upgrade")
    finally:
        timer.cancel()


def _read_parts(kept: Path) -> SeedParts:
    labels: dict[str, str] = json.loads((kept / "labels.json").read_text())
    return SeedParts(kept / "files", SeedClusterInfo.parse(labels[seed_format.INFO_LABEL]), labels)
