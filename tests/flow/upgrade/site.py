"""A site with two applications, prepared for an upgrade; and what its users do and look at, by the API alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from agent.cli.following import Lost, follow_upgrade
from agent.ibu.summary import tell_ending
from agent.kube import Client, Kind, Object, errors
from crds.imagebasedupgrade import ImageBasedUpgrade
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.seed import make_seed

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs/examples"
OLD, NEW = "4.15.0", "4.16.1"
OLD_STATEROOT, NEW_STATEROOT = "rhcos", "rhcos_4.16.1"
NAMESPACE, ADP = "openshift-lifecycle-agent", "openshift-adp"
UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
DEPLOYMENT = Kind("apps", "v1", "Deployment")
POD = Kind("", "v1", "Pod")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
RESTORE = Kind("velero.io", "v1", "Restore")
SPEC: dict[str, Any] = {
    "oadpContent": [{"name": "oadp-content", "namespace": ADP}],
    "extraManifests": [{"name": name, "namespace": NAMESPACE} for name in ("site-catalog", "site-monitoring")],
}
WAIT_SECONDS = 420.0
"""Generous: the machine may be busy with other tests. Nothing waits that long when it works."""


class Site:
    """The node, and the resource `upgrade` on it over all its reboots."""

    def __init__(self, directory: Path) -> None:
        self.sandbox = Sandbox(directory)
        self.kubeconfig = self.sandbox.layout.kubeconfig

    def install(self) -> None:
        """Make the node, its applications, the ConfigMaps and a policy, as the guide says."""
        self.sandbox.up(Identity.make(OLD), owner_pid=os.getpid())
        with self.connect() as client:
            for document in read_example("applications.yaml"):
                client.create(document)
            client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sno1"}})
            client.create(read_example("policy.yaml")[0])
            content = {path.name: path.read_text() for path in sorted((EXAMPLES / "oadp").iterdir())}
            client.create(make_config_map("oadp-content", ADP, content))
            for name in ("catalog", "monitoring"):
                text = (EXAMPLES / f"extra-manifests/{name}.yaml").read_text()
                client.create(make_config_map(f"site-{name}", NAMESPACE, {f"{name}.yaml": text}))
            wait_available(client, "db", "ledger")
            wait_available(client, "web", "shop")

    def make_image(self, version: str = NEW, broken: str | None = None) -> str:
        return make_seed(self.sandbox, version, broken)

    def start(self) -> None:
        """Boot the node; return when the API serves."""
        self.sandbox.up(Identity.make(OLD), owner_pid=os.getpid())

    def stop(self) -> None:
        self.sandbox.down()

    def connect(self) -> Client:
        return Client.connect(self.kubeconfig)

    def set_stage(self, stage: str, **spec: Any) -> None:
        with self.connect() as client:
            client.patch_merge(UPGRADE, "upgrade", {"spec": {"stage": stage, **spec}})

    def annotate(self, **annotations: str | None) -> None:
        with self.connect() as client:
            client.patch_merge(UPGRADE, "upgrade", {"metadata": {"annotations": annotations}})

    def follow(self, until: Callable[[ImageBasedUpgrade], bool]) -> list[ImageBasedUpgrade]:
        """Return every state of the resource, over all reboots, up to the first one for which `until` holds."""
        seen: list[ImageBasedUpgrade] = []
        for state in follow_upgrade(self.kubeconfig, None, limit_seconds=WAIT_SECONDS):
            if not isinstance(state, Lost):
                seen.append(state)
                if until(state):
                    return seen
        last = list_conditions(seen[-1]) if seen else "nothing"
        raise AssertionError(f"not reached in {WAIT_SECONDS:g} s; last seen: {last}")

    @property
    def booted(self) -> str:
        """The stateroot that runs."""
        return str(self.sandbox.state()["booted"]["stateroot"])

    def read_book(self) -> str:
        """What the ledger's Pod shows of its volume, as soon as it does."""
        with self.connect() as client:
            wait_available(client, "db", "ledger")
            (pod,) = [p for p in client.list(POD, "ledger") if not p["metadata"].get("deletionTimestamp")]
            until = time.monotonic() + WAIT_SECONDS
            while not (shown := client.read_log(pod["metadata"]["name"], "ledger")) and time.monotonic() < until:
                time.sleep(0.1)  # available is a container that runs, whatever it has printed
            return shown


def read_example(name: str) -> list[Object]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def make_config_map(name: str, namespace: str, data: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def wait_available(client: Client, name: str, namespace: str) -> None:
    """Wait until a Deployment has its replicas."""
    with client.watch(DEPLOYMENT, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
        for event in watch:
            if (event.object.get("status") or {}).get("availableReplicas") == 1:
                return
    raise AssertionError(f"Deployment {namespace}/{name} is not available")


def list_conditions(ibu: ImageBasedUpgrade) -> list[tuple[str, str, str, str]]:
    return [(c.type, c.status, c.reason, c.message) for c in ibu.status.conditions]


def has_ended(stage: str) -> Callable[[ImageBasedUpgrade], bool]:
    """Tell whether a stage that was asked for has ended, well or not; the resource of the seed does not count."""
    return lambda ibu: ibu.spec.stage == stage and tell_ending(ibu) is not None


def find_value(client: Client, name: str, namespace: str, key: str) -> str | None:
    """A value of a ConfigMap, if it exists."""
    try:
        found = client.find(CONFIG_MAP, name, namespace)
    except errors.NotFound:
        return None
    return str(found["data"][key]) if found else None


class Snapshot:
    """A stopped site, kept beside its folder; it comes back to the same place, with the same ports."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept = site.sandbox.layout.directory.with_suffix(".kept")
        subprocess.run(["cp", "-a", "--reflink=auto", str(site.sandbox.layout.directory), str(self._kept)], check=True)

    def restore(self) -> None:
        """Replace the site's folder by the kept one."""
        directory = self._site.sandbox.layout.directory
        self._site.sandbox.purge()
        subprocess.run(["cp", "-a", "--reflink=auto", str(self._kept), str(directory)], check=True)

    def remove(self) -> None:
        subprocess.run(["chattr", "-R", "-f", "-i", str(self._kept)], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self._kept)
