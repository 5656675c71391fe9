"""A seed image of another release, taken from a node that is made for it.

The seed node is a sandbox inside the sandbox's folder; it runs its cluster once, is stopped, and its stateroot is
packed in the format of `seeds.format`. Broken variants of the image are for trying what the agent says about them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from agent.kube import Client, Kind, Object
from hostops.runner import CommandError, HostRunner, Runner
from sandbox.node.failure import SandboxError
from sandbox.node.identity import Identity
from sandbox.node.inside.unitfiles import disable_unit, enable_unit
from sandbox.node.installation import CONTAINERS_DEVICE
from sandbox.node.oci import push_image
from sandbox.node.ports import Ports
from sandbox.node.sandbox import Sandbox, Say
from sandbox.node.sysroot import Deployment, choose_deployment
from seeds import format as seed_format
from seeds.format import SeedClusterInfo, TrustBundle

SECRET = Kind("", "v1", "Secret")
REPOSITORY = "openshift/seed"
RECERT = "edge-infrastructure/recert:v0"
PAYLOAD = ("etcd", "kube-apiserver", "lifecycle-agent")
"""Images of the release that Prep pulls ahead; each is a few bytes in the sandbox's registry."""

_VAR_EXCLUDES = (
    *("*/.bash_history", "var/tmp/*", "var/log/*", "var/lib/lca", "var/lib/log/*", "var/lib/cni/bin/*"),
    *("var/lib/containers/*", "var/lib/kubelet/pods/*", "var/lib/ovn-ic/etc/*"),
)
_ETC_EXCLUDES = ("etc/NetworkManager/system-connections", "etc/hostname", "etc/machine-config-daemon/orig")

_UNITS = {
    "installation-configuration.service": """[Unit]
Description=Image base SNO configuration script
After=coreos-update-ca-trust.service

[Service]
Type=oneshot
RemainAfterExit=no
ExecStart=/usr/local/bin/lca-cli post-pivot
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
""",
    "lca-init-monitor.service": """[Unit]
Description=Lifecycle Agent initialization monitor
After=NetworkManager-wait-online.service

[Service]
ExecStart=/usr/local/bin/lca-cli init-monitor --monitor
ExecStopPost=systemctl disable lca-init-monitor.service

[Install]
WantedBy=multi-user.target
""",
}


@dataclass
class SeedParts:
    """What goes into the image, before it is packed: a folder of files and the labels' sources."""

    folder: Path
    info: SeedClusterInfo
    labels: dict[str, str]


def _break_labels(parts: SeedParts) -> None:
    parts.labels.clear()


def _break_format(parts: SeedParts) -> None:
    parts.labels[seed_format.FORMAT_LABEL] = "3"


def _break_info(**changes: object) -> Callable[[SeedParts], None]:
    def apply(parts: SeedParts) -> None:
        text = replace(parts.info, **changes).dump()  # type: ignore[arg-type]
        (parts.folder / seed_format.MANIFEST).write_text(text)
        parts.labels[seed_format.INFO_LABEL] = text

    return apply


def _break_archive(parts: SeedParts) -> None:
    path = parts.folder / seed_format.OSTREE_ARCHIVE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _break_deployments(parts: SeedParts) -> None:
    (parts.folder / seed_format.DEPLOYMENTS).write_text('{"deployments":[]}')


def _break_images(parts: SeedParts) -> None:
    path = parts.folder / seed_format.IMAGE_LIST
    path.write_text(path.read_text() + "\n" + path.read_text().splitlines()[0].rpartition(":")[0] + ":missing")


def _break_units(parts: SeedParts) -> None:
    (parts.folder / seed_format.ETC_DELETIONS).write_text("/etc/systemd/system/installation-configuration.service\n")


BROKEN: dict[str, tuple[str, Callable[[SeedParts], None]]] = {
    "no-label": ("the image has no labels", _break_labels),
    "wrong-format": ("the label names format 3", _break_format),
    "wrong-version": ("label and manifest name another release", _break_info(version="4.99.0")),
    "proxy": ("the seed cluster had a proxy", _break_info(has_proxy=True)),
    "fips": ("the seed cluster had FIPS enabled", _break_info(has_fips=True)),
    "storage": ("container storage was another device", _break_info(container_storage_target="/dev/other")),
    "corrupt-ostree": ("ostree.tgz is cut in half", _break_archive),
    "no-deployment": ("rpm-ostree.json lists no deployment", _break_deployments),
    "missing-image": ("an image to pull ahead does not exist", _break_images),
    "no-post-pivot": ("the unit that configures the node after the pivot is missing", _break_units),
}


def make_seed(sandbox: Sandbox, version: str, broken: str | None = None, say: Say = lambda _: None) -> str:
    """Make, push and name a seed image of `version` for `sandbox`, which must run. Returns the pull spec.

    The packed seed is kept in the sandbox's folder; a second image of the same release takes seconds.
    Raises SandboxError, OSError.
    """
    if not sandbox.is_running:
        raise SandboxError(f"the sandbox in {sandbox.layout.directory} does not run, and so has no registry")
    try:
        return _make_seed(HostRunner(), sandbox, version, broken, say)
    except CommandError as error:
        raise SandboxError(f"making the seed image failed at `{' '.join(error.argv)}`: {error}") from error


def _make_seed(runner: Runner, sandbox: Sandbox, version: str, broken: str | None, say: Say) -> str:
    registry = f"127.0.0.1:{Ports.read(sandbox.layout.ports_file).registry}"
    kept = sandbox.layout.directory / "seeds" / version
    if not (kept / "labels.json").exists():
        _pack_seed(runner, kept, version, registry, say)
    parts = _read_parts(kept)
    with tempfile.TemporaryDirectory(dir=sandbox.layout.directory) as scratch:
        image = Path(scratch) / "image"
        shutil.copytree(parts.folder, image)
        parts = replace(parts, folder=image)
        if broken:
            BROKEN[broken][1](parts)
        say("pushing the image")
        reference = f"{registry}/{REPOSITORY}:{version}{f'-{broken}' if broken else ''}"
        push_image(runner, Path(scratch) / "layout", image, reference, parts.labels)
    return reference


def _pack_seed(runner: Runner, kept: Path, version: str, registry: str, say: Say) -> None:
    seed = Sandbox(kept.with_name(f"{kept.name}-node"))
    identity = Identity.make(version, cluster_name="seed", seed=True)
    seed.layout.make_directories()
    for part in ("registry-down", "s3-down"):  # it uses the registry of the other node
        seed.faults.set(part)
    try:
        say(f"booting a seed node of {version}")
        seed.create(identity, registry=registry)
        seed.start(owner_pid=os.getpid())  # it must not outlive the making
        seed.wait_ready()
        with contextlib.closing(Client.connect(seed.layout.kubeconfig)) as client:
            secret = client.get(SECRET, "router-ca", "openshift-ingress-operator")
        say("stopping it")
        seed.down()
        say("packing its stateroot")
        shutil.rmtree(kept, ignore_errors=True)
        folder = kept / "files"
        folder.mkdir(parents=True)
        images = _push_payload(runner, registry, version, kept)
        info = _describe(identity, registry, _common_name(secret))
        deployment = choose_deployment(seed.layout.sysroot)
        _prepare_stateroot(deployment, info)
        _pack_files(runner, seed.layout.sysroot, deployment, folder, info, images)
        labels = {seed_format.FORMAT_LABEL: seed_format.FORMAT_VERSION, seed_format.INFO_LABEL: info.dump()}
        (kept / "labels.json").write_text(json.dumps(labels))
    finally:
        seed.down()
        seed.purge()


def _read_parts(kept: Path) -> SeedParts:
    labels: dict[str, str] = json.loads((kept / "labels.json").read_text())
    return SeedParts(kept / "files", SeedClusterInfo.parse(labels[seed_format.INFO_LABEL]), labels)


def _describe(identity: Identity, registry: str, ingress_name: str) -> SeedClusterInfo:
    return SeedClusterInfo(
        version=identity.version,
        base_domain=identity.base_domain,
        cluster_name=identity.cluster_name,
        node_ips=(identity.node_ip,),
        release_registry="quay.io",
        hostname=identity.node_name,
        recert_image=f"{registry}/{RECERT}",
        trust_bundle=TrustBundle(),
        container_storage_target=CONTAINERS_DEVICE,
        ingress_certificate_cn=ingress_name,
        machine_networks=(identity.machine_network,),
    )


def _common_name(secret: Object) -> str:
    subject = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"])).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _push_payload(runner: Runner, registry: str, version: str, scratch: Path) -> list[str]:
    """Push the images that a node of the release needs; return their pull specs."""
    references = [f"{registry}/openshift/{name}:{version}" for name in PAYLOAD] + [f"{registry}/{RECERT}"]
    for number, reference in enumerate(references):
        files = scratch / f"payload{number}"
        files.mkdir()
        (files / "name").write_text(f"{reference}\n")
        push_image(runner, scratch / f"layout{number}", files, reference)
        shutil.rmtree(files)
        shutil.rmtree(scratch / f"layout{number}")
    return references


def _prepare_stateroot(deployment: Deployment, info: SeedClusterInfo) -> None:
    """Leave the units as a seed has them: kubelet off, the configuration after the pivot and its watchdog on."""
    root = deployment.root
    for name, text in _UNITS.items():
        (root / "etc/systemd/system" / name).write_text(text)
        enable_unit(name, str(root))
    disable_unit("kubelet.service", str(root))
    program = deployment.var / "usrlocal/bin/lca-cli"
    program.write_text('#!/usr/bin/bash\n# One executable on a real node.\nexec /sandbox/bin/lca-node "$@"\n')
    program.chmod(0o755)
    data = deployment.var / "seed_data"
    data.mkdir(mode=0o700, exist_ok=True)
    (data / seed_format.MANIFEST).write_text(info.dump())


def _pack_files(
    runner: Runner, sysroot: Path, deployment: Deployment, folder: Path, info: SeedClusterInfo, images: list[str]
) -> None:
    checksum, _, _ = deployment.name.partition(".")
    changes = runner.run("ostree", "admin", f"--sysroot={sysroot}", "config-diff", "--os=rhcos").output.splitlines()
    split = [line.split(None, 1) for line in changes]
    changed = [f"etc/{path}" for kind, path in split if kind != "D"]
    (folder / seed_format.ETC_DELETIONS).write_text("".join(f"/etc/{path}\n" for kind, path in split if kind == "D"))
    stateroot = deployment.root.parents[1]
    _tar(folder / seed_format.VAR_ARCHIVE, stateroot, ["var"], _VAR_EXCLUDES)
    _tar(folder / seed_format.ETC_ARCHIVE, deployment.root, changed, _ETC_EXCLUDES)
    _tar(folder / seed_format.OSTREE_ARCHIVE, sysroot / "ostree/repo", ["."], ())
    entry = {
        "id": f"{stateroot.name}-{deployment.name}",
        "osname": stateroot.name,
        "checksum": checksum,
        "serial": 0,
        "booted": True,
    }
    (folder / seed_format.DEPLOYMENTS).write_text(json.dumps({"deployments": [entry]}))
    shutil.copy2(f"{deployment.root}.origin", folder / f"ostree-{deployment.name}.origin")
    shutil.copy2(deployment.root / "etc/machine-config-daemon/currentconfig", folder / seed_format.MACHINE_CONFIG)
    (folder / seed_format.IMAGE_LIST).write_text("\n".join(images))
    (folder / seed_format.MANIFEST).write_text(info.dump())


def _tar(archive: Path, directory: Path, members: list[str], excludes: tuple[str, ...]) -> None:
    options = [f"--exclude={pattern}" for pattern in excludes]
    attributes = ["--selinux", "--xattrs", "--xattrs-include=*", "--acls"]
    command = ["tar", "czf", str(archive), "-C", str(directory), *options, "--no-recursion", "-T", "-", *attributes]
    if members in (["var"], ["."]):
        command.remove("--no-recursion")
    subprocess.run(command, input="\n".join(members), text=True, check=True)
