"""A small but real seed image: the archives of another node, pushed to the test's registry."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seeds.format import FORMAT_LABEL, FORMAT_VERSION, INFO_LABEL, SeedClusterInfo, TrustBundle
from tests.host.images import Storage
from tests.host.scratchnode import call, commit_tree

VERSION = "4.16.1"
INFO = SeedClusterInfo(
    version=VERSION,
    base_domain="seed.example.com",
    cluster_name="seed",
    node_ips=("192.168.127.10",),
    release_registry="quay.io",
    hostname="seed1",
    recert_image="quay.io/edge-infrastructure/recert:v0",
    trust_bundle=TrustBundle(),
    container_storage_target="/dev/disk/by-partlabel/var-lib-containers",
    machine_networks=("192.168.127.0/24",),
)
MACHINE_CONFIG = {
    "spec": {"kernelArguments": ["tsc=nowatchdog", 'cgroup_no_v1="all"', "quoted=$HOME`id`<&"], "fips": True}
}
Members = Mapping[str, tuple[bytes, int]]
VAR: Members = {
    "var/lib/marker": (b"from the seed\n", 0o644),
    "var/lib/private": (b"secret\n", 0o600),
    "var/seed_data/manifest.json": (INFO.dump().encode(), 0o600),
}
ETC: Members = {"etc/hosts": (b"127.0.0.1 seed\n", 0o644), "etc/seed.d/run me": (b"#!/bin/sh\n", 0o750)}


@dataclass(frozen=True)
class SeedFiles:
    """The files of a seed image, and the commit in it."""

    files: Mapping[str, bytes]
    commit: str

    def push(self, storage: Storage, name: str = f"org/seed:{VERSION}") -> str:
        labels = {FORMAT_LABEL: FORMAT_VERSION, INFO_LABEL: self.files["manifest.json"].decode()}
        return storage.push(name, self.files, labels)


def build_seed(directory: Path, more: Mapping[str, bytes] = MappingProxyType({})) -> SeedFiles:
    """Make the files of a seed image of `VERSION`, with `more` files in its operating system."""
    repo = directory / "repo"
    repo.mkdir(parents=True)
    call("ostree", f"--repo={repo}", "init", "--mode=bare")
    for name, content in more.items():
        (directory / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "tree" / name).write_bytes(content)
    commit = commit_tree(directory / "tree", repo, VERSION)
    subprocess.run(["tar", "czf", directory / "ostree.tgz", "-C", repo, "."], check=True)
    deployment = f"{commit}.0"
    files = {
        "ostree.tgz": (directory / "ostree.tgz").read_bytes(),
        "rpm-ostree.json": json.dumps({"deployments": [{"booted": True, "id": f"rhcos-{deployment}"}]}).encode(),
        f"ostree-{deployment}.origin": b"[origin]\nrefspec=seed\n",
        "manifest.json": INFO.dump().encode(),
        "mco-currentconfig.json": json.dumps(MACHINE_CONFIG).encode(),
        "var.tgz": pack(VAR),
        "etc.tgz": pack(ETC),
        "etc.deletions": b"/etc/removed-by-seed\n\n/etc/never-there\n/etc/containers\n",
        "containers.list": b"quay.io/a@sha256:1\nquay.io/b:2",
    }
    return SeedFiles(files, commit)


def pack(members: Members) -> bytes:
    """Make a .tgz of files (content, mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, (content, mode) in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
