"""What a user does with ImageBasedUpgrade `upgrade`: change it, follow it, look at it."""

from __future__ import annotations

import re
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object, errors
from sandbox.node.inotify import DirectoryWatch
from sandbox.node.sandbox import Sandbox

UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
POD = Kind("", "v1", "Pod")
JOB = Kind("batch", "v1", "Job")
NAMESPACE = "openshift-lifecycle-agent"
STATEROOT_JOB, PRECACHE_JOB = "lca-prep-stateroot-setup", "lca-prep-precache"
VERSION, STATEROOT = "4.16.1", "rhcos_4.16.1"
WARNING = "extra-manifest.lca.openshift.io/validation-warning"
CLEANUP_DONE = "lca.openshift.io/manual-cleanup-done"
WAIT_SECONDS = 150.0
"""Generous: the machine may be busy with other tests. Nothing waits that long when it works."""

Condition = tuple[str, str, str, str]
"""Type, status, reason, message."""


class Upgrade:
    """The resource, and the node that it is about. `image` is the pull spec of a good seed image of `VERSION`."""

    def __init__(self, client: Client, sandbox: Sandbox, image: str) -> None:
        self.client, self.sandbox, self.image = client, sandbox, image

    def read(self) -> Object:
        return self.client.get(UPGRADE, "upgrade")

    def prepare(self, until: Callable[[Object], Any], *, version: str = VERSION, **spec: Any) -> list[Object]:
        """Ask for Prep of the seed image; return every state of the resource from then on, up to `until`."""
        seed = {"version": version, "image": spec.pop("image", self.image)}
        return self.change({"spec": {"stage": "Prep", "seedImageRef": seed, **spec}}, until)

    def abort(self, until: Callable[[Object], Any] = lambda ibu: is_idle(ibu)) -> list[Object]:
        """Ask for Idle; return every state from then on, up to `until`."""
        return self.change({"spec": {"stage": "Idle"}}, until)

    def annotate(self, until: Callable[[Object], Any], **annotations: str | None) -> list[Object]:
        return self.change({"metadata": {"annotations": annotations}}, until)

    def change(self, patch: Object, until: Callable[[Object], Any]) -> list[Object]:
        """Patch the resource; return every state from then on, up to the first one for which `until` holds."""
        patched = self.client.patch_merge(UPGRADE, "upgrade", patch)
        if until(patched):
            return [patched]
        return [patched, *self.follow(patched["metadata"]["resourceVersion"], until)]

    def wait(self, until: Callable[[Object], Any]) -> Object:
        """The resource as soon as `until` holds."""
        return list(self.follow(None, until))[-1]

    def follow(self, version: str | None, until: Callable[[Object], Any]) -> Iterator[Object]:
        seen: Object = {}
        with self.client.watch(
            UPGRADE, name="upgrade", resource_version=version, timeout_seconds=WAIT_SECONDS
        ) as watch:
            for event in watch:
                if event.type == "DELETED":
                    continue
                seen = event.object
                yield seen
                if until(seen):
                    return
        raise AssertionError(f"not reached in {WAIT_SECONDS:g} s; last seen: {list_conditions(seen)}")

    def wait_object(self, kind: Kind, name: str, namespace: str | None, until: Callable[[Object], Any]) -> Object:
        with self.client.watch(kind, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
            for event in watch:
                if event.type != "DELETED" and until(event.object):
                    return event.object
        raise AssertionError(f"{kind.kind} {name} did not get there in {WAIT_SECONDS:g} s")

    def wait_gone(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        with self.client.watch(kind, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
            if self.client.find(kind, name, namespace) is None:
                return
            for event in watch:
                if event.type == "DELETED":
                    return
        raise AssertionError(f"{kind.kind} {name} is still there after {WAIT_SECONDS:g} s")

    def wait_commands(self, until: Callable[[], bool]) -> None:
        """Return when `until` holds, which is asked whenever a command on the node has ended."""
        log = self.sandbox.layout.commands_log
        watch = DirectoryWatch(log.parent, {log.name})
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            while not until():
                assert select.select([watch.fileno()], [], [], deadline - time.monotonic())[0], "no command came"
                watch.read()
        finally:
            watch.close()

    def put(self, obj: Object) -> Object:
        """Create an object, or replace its content."""
        with suppress(errors.AlreadyExists):
            return self.client.create(obj)
        return self.client.patch_merge(Kind.of(obj), obj["metadata"]["name"], obj, obj["metadata"].get("namespace"))

    def put_config_map(self, name: str, content: str) -> list[dict[str, str]]:
        """Make a ConfigMap with one value; return the reference for the spec."""
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {"flow": "prep"}}
        self.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"manifests.yaml": content}})
        return [{"name": name, "namespace": NAMESPACE}]

    def wait_operator(self) -> Object:
        """The operator's Pod that is not on its way out, as soon as there is one."""
        labels = "control-plane=controller-manager"
        with self.client.watch(POD, NAMESPACE, labels=labels, timeout_seconds=WAIT_SECONDS) as watch:
            for event in watch:
                if event.type != "DELETED" and not event.object["metadata"].get("deletionTimestamp"):
                    return event.object
        raise AssertionError(f"there is no operator after {WAIT_SECONDS:g} s")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the node."""
        return self.sandbox.run(*command, check=check)

    def write_file(self, path: Path, text: str) -> None:
        """Write a file on the node."""
        self.run("bash", "-c", 'printf %s "$2" >"$1"', "bash", str(path), text)

    def list_files(self, *patterns: str) -> list[str]:
        """Which of these paths exist on the node; `*` matches."""
        return self.run("bash", "-c", f"ls -d {' '.join(patterns)}", check=False).stdout.split()


def list_conditions(ibu: Object) -> list[Condition]:
    conditions = (ibu.get("status") or {}).get("conditions") or []
    return [(c["type"], c["status"], c["reason"], c["message"]) for c in conditions]


def list_reasons(ibu: Object) -> list[tuple[str, str, str]]:
    return [condition[:3] for condition in list_conditions(ibu)]


def get_message(ibu: Object, kind: str) -> str:
    return next((message for type_, _, _, message in list_conditions(ibu) if type_ == kind), "")


def is_idle(ibu: Object) -> bool:
    return [condition[:2] for condition in list_conditions(ibu)] == [("Idle", "True")]


def is_prep_over(ibu: Object) -> bool:
    return any(condition[0] == "PrepCompleted" for condition in list_conditions(ibu))


def is_failed(ibu: Object) -> bool:
    return list_reasons(ibu)[-1:] == [("PrepInProgress", "False", "Failed")]


def is_cleanup_failed(ibu: Object) -> bool:
    return ("Idle", "False", "AbortFailed") in list_reasons(ibu)


def has_message(kind: str, start: str) -> Callable[[Object], bool]:
    return lambda ibu: get_message(ibu, kind).startswith(start)


def drop_repeats(values: Iterable[Any]) -> list[Any]:
    """The values without those that equal the one before."""
    kept: list[Any] = []
    for value in values:
        if kept[-1:] != [value]:
            kept.append(value)
    return kept


def mask_counters(message: str) -> str:
    """A progress message without what differs from run to run."""
    return re.sub(
        r"total: \d+ \(pulled: \d+, failed: \d+\)|No precache status file to read yet\.", "<progress>", message
    )
