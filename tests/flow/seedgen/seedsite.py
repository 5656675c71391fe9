"""A cluster that becomes a seed: what its user does by the API alone, over the time in which it is down."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object, errors
from sandbox.node.identity import Identity
from sandbox.node.ports import Ports
from sandbox.node.sandbox import Sandbox

SEEDGEN = Kind("lca.openshift.io", "v1", "SeedGenerator")
UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
SECRET = Kind("", "v1", "Secret")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
LVM = Kind("lvm.topolvm.io", "v1alpha1", "LVMCluster")
DPA = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
NAMESPACE = "openshift-lifecycle-agent"
VERSION = "4.16.1"
WAIT_SECONDS = 240.0
"""Generous: the machine may be busy with other tests. Nothing waits that long when it works."""

LEFTOVERS = (
    *("/var/tmp/backup", "/var/tmp/checks", "/var/tmp/backupCertsDir", "/var/seed_data"),
    *("/var/lib/lca/ibu-seedgen-orch", "/etc/systemd/system/lca-restore-seed.service"),
    *("/etc/systemd/system/installation-configuration.service", "/etc/systemd/system/lca-init-monitor.service"),
)
Condition = tuple[str, str, str, str]


class SeedSite:
    """The node, its registry, and the resource `seedimage`."""

    def __init__(self, directory: Path) -> None:
        self.sandbox = Sandbox(directory)
        self.number = 0

    def install(self) -> None:
        """A node without what a seed must not have."""
        self.sandbox.up(Identity.make(VERSION, cluster_name="seed", seed=True), owner_pid=os.getpid())
        self.client = Client.connect(self.sandbox.layout.kubeconfig)
        for kind in (LVM, DPA):
            for obj in self.client.list(kind):
                self.client.delete(kind, obj["metadata"]["name"], obj["metadata"].get("namespace"))
        metadata = {"name": "before", "namespace": "default"}
        self.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}})
        # This client keeps the credentials and the trust of before: they must be good for ever.
        self.pull_secret = self.read_pull_secret()

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{Ports.read(self.sandbox.layout.ports_file).registry}"

    @property
    def image(self) -> str:
        """Another one for each generation."""
        return f"{self.registry}/org/seed:{self.number}"

    def ask(self, **spec: Any) -> None:
        """Apply Secret and SeedGenerator."""
        self.number += 1
        metadata = {"name": "seedgen", "namespace": NAMESPACE}
        values = {"seedAuth": '{"auths":{"nowhere.example.com":{"auth":"c2VjcmV0OnMzY3IzdA=="}}}'}
        with suppress(errors.AlreadyExists):
            self.client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
        body = {"apiVersion": SEEDGEN.api_version, "kind": SEEDGEN.kind, "metadata": {"name": "seedimage"}}
        self.client.create({**body, "spec": {"seedImage": self.image, **spec}})

    def wait(self, until: Callable[[Object], bool]) -> Object:
        """Return the resource as soon as `until` holds, also when the API is away in between."""
        deadline = time.monotonic() + WAIT_SECONDS
        seen: Object = {}
        while (left := deadline - time.monotonic()) > 0:
            with suppress(errors.ApiError), self.client.watch(SEEDGEN, name="seedimage", timeout_seconds=left) as watch:
                for event in watch:
                    seen = event.object
                    if event.type != "DELETED" and until(seen):
                        return seen
            self.sandbox.wait_ready()
        raise AssertionError(f"not reached in {WAIT_SECONDS:g} s; last seen: {list_conditions(seen)}")

    def wait_ended(self) -> list[Condition]:
        return list_conditions(self.wait(is_ended))

    def wait_ended_with_new_keys(self) -> list[Condition]:
        """As `wait_ended`, on a cluster that only knows the kubeconfig which it writes itself."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with (
                suppress(errors.ApiError, errors.AccessError),
                Client.connect(self.sandbox.layout.kubeconfig) as client,
            ):
                found = client.find(SEEDGEN, "seedimage")
                if found and is_ended(found):
                    return list_conditions(found)
            time.sleep(0.5)
        raise AssertionError("the generation did not end")

    def delete(self) -> None:
        with suppress(errors.NotFound):
            self.client.delete(SEEDGEN, "seedimage")

    def read_pull_secret(self) -> str:
        secret = self.client.get(SECRET, "pull-secret", "openshift-config")
        return base64.b64decode(secret["data"][".dockerconfigjson"]).decode()

    def inspect(self) -> dict[str, Any] | None:
        """What skopeo says about the image; None when there is none."""
        done = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", f"docker://{self.image}"], capture_output=True, text=True
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def run(self, *command: str, check: bool = True) -> str:
        return self.sandbox.run(*command, check=check).stdout

    def assert_unharmed(self) -> None:
        """The cluster and the node are as before, and nothing is left."""
        assert self.client.get(CONFIG_MAP, "before", "default")["data"] == {"key": "value"}
        assert self.read_pull_secret() == self.pull_secret
        seed_auth = base64.b64decode(self.client.get(SECRET, "seedgen", NAMESPACE)["data"]["seedAuth"])
        assert b"nowhere.example.com" in seed_auth
        self.wait_upgrade()
        self.wait_rolled_out()
        listed = self.run("bash", "-c", f"ls -d {' '.join(LEFTOVERS)} 2>/dev/null", check=False)
        assert listed == ""
        assert self.run("systemctl", "is-enabled", "kubelet").strip() == "enabled"
        assert self.run("bash", "-c", "pgrep -x etcd | wc -l").strip() == "1"

    def wait_rolled_out(self) -> None:
        """The pull secret is back at the node, too: that is the cluster's work, and goes on after the generation."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.run("cat", "/var/lib/kubelet/config.json") != self.pull_secret:
            assert time.monotonic() < deadline, "the node has no pull secret"
            time.sleep(0.2)

    def wait_upgrade(self) -> None:
        """The upgrade's resource is there again, and Idle."""
        with self.client.watch(UPGRADE, name="upgrade", timeout_seconds=WAIT_SECONDS) as watch:
            for event in watch:
                conditions = (event.object.get("status") or {}).get("conditions") or []
                if [(c["type"], c["status"]) for c in conditions] == [("Idle", "True")]:
                    return
        raise AssertionError("ImageBasedUpgrade upgrade is not Idle")


def list_conditions(obj: Object) -> list[Condition]:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return [(c["type"], c["status"], c["reason"], c["message"]) for c in conditions]


def is_ended(obj: Object) -> bool:
    return any(type_ == "SeedGenCompleted" for type_, *_ in list_conditions(obj))
