"""A cluster and a node for seed generation, and the controller between them, driven pass by pass."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object, errors
from agent.runtime.worker import Request
from agent.seedgen import reconcile as reconcile_module
from agent.seedgen.kind import SECRET, SEEDGEN, UPGRADE
from agent.seedgen.ports import Ports
from agent.seedgen.reconcile import SeedController
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import Scope
from seeds.creation.workspace import WORKSPACE

NAMESPACE = "openshift-lifecycle-agent"
POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
PATIENCE_SECONDS = 120.0
PULL_SECRET = '{"auths":{"quay.io":{"auth":"b3JpZ2luYWw6c2VjcmV0"}}}'
STANDIN = Path(__file__).parents[2] / "host/standin"
NAMES = ("podman", "systemctl", "systemd-run", "ostree")


class Killed(BaseException):
    """The operator is gone."""


class Host:
    """A node in a folder. skopeo, du and ostree's help are real; what it takes a booted node for is recorded."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.folder = folder
        for name in (
            "var/lib/kubelet",
            "var/lib/lca",
            "var/tmp",
            "ostree/repo",
            "usr/local/bin",
            "run/bin",
            "run/faults",
        ):
            (folder / name).mkdir(parents=True)
        (folder / "run/commands").touch()
        shutil.copy(STANDIN, folder / "run/bin/standin")
        for name in NAMES:
            (folder / "run/bin" / name).symlink_to("standin")
        (folder / "usr/local/bin/dnsmasq_config.sh").touch()
        (folder / "var/lib/kubelet/config.json").write_text(PULL_SECRET)
        settings = folder / "var/home/.config/containers"
        settings.mkdir(parents=True)
        (settings / "registries.conf").write_text(f'[[registry]]\nlocation="{registry}"\ninsecure=true\n')
        self.answer("systemctl cat", "echo What=/dev/disk/by-partlabel/var-lib-containers; exit 0")
        self.builder_gone()

    @property
    def runner(self) -> HostRunner:
        words = ["bwrap", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]
        for name in ("bin", "sbin", "lib", "lib64"):
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        for name in ("var", "ostree", "run"):
            words += ["--bind", str(self.folder / name), f"/{name}"]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--setenv", "HOME", "/var/home"]
        return HostRunner(Scope("host", (*words, "--setenv", "PATH", "/run/bin:/usr/bin", "env", "--")))

    def answer(self, command: str, script: str) -> None:
        """Run `script` instead of the stand-in `command`, e.g. `podman pull`."""
        (self.folder / "run/faults" / command).write_text(script)

    def builder_gone(self) -> None:
        """There is no builder's container."""
        self.answer("podman inspect", 'echo "[]"; echo "Error: no such object: \\"$6\\"" >&2; exit 125')

    def builder_ended(self, code: int = 0, status: str = "exited", reason: str = "") -> None:
        state = json.dumps([{"State": {"Status": status, "ExitCode": code}}])
        self.answer("podman inspect", f"echo '{state}'; exit 0")
        self.answer("systemctl is-active", "exit 0")
        if reason:
            (self.folder / WORKSPACE[1:] / "builder-error").write_text(reason)

    def builder_runs(self, unit: str = "lca-generate-seed-image.service", state: str = "active") -> None:
        self.answer("systemctl is-active", f'[ "$2" != {unit} ] || echo {state}; exit 0')

    def commands(self) -> list[list[str]]:
        lines = (self.folder / "run/commands").read_text().split("\0\n")
        return [line.split("\0") for line in lines if line]

    def launches(self) -> list[list[str]]:
        return [words for words in self.commands() if words[0] == "systemd-run"]

    def workspace(self) -> list[str]:
        folder = self.folder / WORKSPACE[1:]
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def sanitized(self) -> bool:
        return "ZW1wdHk6ZW1wdHk=" in (self.folder / "var/lib/kubelet/config.json").read_text()


class World:
    """One generation. `stuck` switches the machine config operator off; `unhealthy` is what the health check says."""

    def __init__(self, client: Client, host: Host, registry: str, auth: str) -> None:
        self.client, self.host, self.registry, self.auth = client, host, registry, auth
        self.image = f"{registry}/org/seed:4.15.0"
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.unhealthy: str | None = None
        self.stuck = False
        self.states: list[list[str]] = []
        self.restart()

    def restart(self) -> None:
        """A new operator."""
        ports = Ports(
            client=self.client,
            runner=self.host.runner,
            root=HostRoot(self.host.folder),
            namespace=NAMESPACE,
            pod_name="operator",
            recert_image="",
            skip_recert=False,
            find_health_failure=lambda client: self.unhealthy,
        )
        self.controller = SeedController(ports, now=lambda: self.time)

    def ask(self, **spec: Any) -> Object:
        """Create Secret and SeedGenerator, as a user does."""
        self.put_secret("seedgen", NAMESPACE, {"seedAuth": self.auth})
        return self.client.create(
            {
                "apiVersion": SEEDGEN.api_version,
                "kind": SEEDGEN.kind,
                "metadata": {"name": "seedimage", "annotations": {"note": "mine"}},
                "spec": {"seedImage": self.image, "recertImage": "quay.io/recert:v1", **spec},
            }
        )

    def pass_once(self) -> timedelta | None:
        after = self.controller.reconcile(Request("seedimage"))
        self._note()
        self._roll_out()
        return after

    def drive(self, until: Callable[[], bool] = lambda: False) -> None:
        """Make passes until nothing more is to be done, or `until` holds.

        What a pass waits for is the test's doing, or that of the cluster's own controllers.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            after = self.pass_once()
            if after is None or until():
                return
            if after:
                time.sleep(0.02)
        raise AssertionError(f"not settled: {self.states[-3:]}, {self.host.workspace()}")

    def is_launched(self) -> bool:
        return bool(self.host.launches())

    def read(self) -> Object | None:
        return self.client.find(SEEDGEN, "seedimage")

    def conditions(self) -> list[str]:
        status = (self.read() or {}).get("status") or {}
        return [f"{c['type']}={c['status']}/{c['reason']}/{c['message']}" for c in status.get("conditions") or ()]

    def pull_secret(self) -> str:
        secret = self.client.get(SECRET, "pull-secret", "openshift-config")
        return base64.b64decode(secret["data"][".dockerconfigjson"]).decode()

    def has_secret(self) -> bool:
        secret = self.client.find(SECRET, "seedgen", NAMESPACE)
        return secret is not None and base64.b64decode(secret["data"]["seedAuth"]).decode() == self.auth

    def put_secret(self, name: str, namespace: str, values: dict[str, str], kind: str = "Opaque") -> None:
        metadata = {"name": name, "namespace": namespace}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": values}
        try:
            self.client.create(body)
        except errors.AlreadyExists:
            self.client.patch_merge(SECRET, name, {"stringData": values}, namespace)

    def put(self, obj: Object) -> Object:
        """Create an object with its status."""
        live = self.client.create(obj)
        return self.client.update_status({**live, "status": obj["status"]}) if "status" in obj else live

    def delete_all(self) -> None:
        """Everything that a test may have left."""
        for kind, name, namespace in (
            (SEEDGEN, "seedimage", None),
            (SECRET, "seedgen", NAMESPACE),
            (UPGRADE, "upgrade", None),
        ):
            try:
                self.client.delete(kind, name, namespace)
            except errors.NotFound:
                continue

    def assert_as_before(self) -> None:
        """The cluster is what it was, and nothing lies on the host."""
        assert self.has_secret()
        assert self.pull_secret() == PULL_SECRET
        assert not self.host.sanitized()
        assert self.host.workspace() == []

    def die_at(self, monkeypatch: Any, point: str) -> None:
        """Let the operator die once, `itinerary/step/before` or `.../after` the step's work."""
        pending = [point]

        def make_mortal(itinerary: Any) -> Any:
            def mortal(step: Any) -> Any:
                def run(context: Any) -> Any:
                    name = f"{itinerary.name}/{step.name}"
                    if pending == [f"{name}/before"]:
                        pending.clear()
                        raise Killed
                    outcome = step.run(context)
                    if pending == [f"{name}/after"]:
                        pending.clear()
                        raise Killed
                    return outcome

                return replace(step, run=run)

            return replace(itinerary, steps=tuple(mortal(step) for step in itinerary.steps))

        mortals = {work: make_mortal(itinerary) for work, itinerary in reconcile_module.ITINERARIES.items()}
        monkeypatch.setattr(reconcile_module, "ITINERARIES", mortals)

    def _note(self) -> None:
        now = self.conditions()
        if now != (self.states[-1] if self.states else []):
            self.states.append(now)

    def _roll_out(self) -> None:
        """Play the machine config operator."""
        if not self.stuck:
            (self.host.folder / "var/lib/kubelet/config.json").write_text(self.pull_secret())
