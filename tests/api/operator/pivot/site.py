"""The whole site: the node, its cluster, the operator on it, and what the user does and sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind
from tests.api.operator.pivot.node import NEW, OLD, PivotNode
from tools.operator_process import OperatorProcess, read_conditions

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
VERSION = "4.16.1"
SEED = {"version": VERSION, "image": "quay.io/org/seed:4.16.1"}
EARLIER = "2026-01-01T00:00:00Z"
WAIT_SECONDS = 60.0

Object = dict[str, Any]

PREPARED = (
    "Idle=False/InProgress In progress",
    "PrepInProgress=False/Completed Prep completed",
    "PrepCompleted=True/Completed Prep stage completed successfully",
)
UPGRADING = (*PREPARED, "UpgradeInProgress=True/InProgress In progress")
UPGRADED = (
    *PREPARED,
    "UpgradeInProgress=False/Completed Upgrade completed",
    "UpgradeCompleted=True/Completed Upgrade completed",
)
UNCONTROLLED = (
    *PREPARED,
    "UpgradeCompleted=False/Failed Upgrade failed",
    "UpgradeInProgress=False/Failed Uncontrolled rollback",
)
ROLLED_BACK = (
    *PREPARED,
    "UpgradeInProgress=False/Failed Rollback requested",
    "UpgradeCompleted=False/Failed Rollback requested",
    "RollbackInProgress=False/Completed Rollback completed",
    "RollbackCompleted=True/Completed Rollback completed",
)
HISTORY = [
    {"stage": "Prep", "startTime": EARLIER, "completionTime": EARLIER},
    {
        "stage": "Upgrade",
        "startTime": EARLIER,
        "phases": [{"phase": "PrePivot", "startTime": EARLIER, "completionTime": EARLIER}],
    },
]


def make_upgrade(
    conditions: tuple[str, ...], stage: str = "Upgrade", next_stages: tuple[str, ...] = ("Idle",)
) -> Object:
    """The resource in a state, as it is saved or stored."""
    return {
        "apiVersion": IBU.api_version,
        "kind": IBU.kind,
        "metadata": {"name": "upgrade"},
        "spec": {"stage": stage, "seedImageRef": SEED},
        "status": {
            "conditions": [parse_condition(text) for text in conditions],
            "validNextStages": list(next_stages),
            "observedGeneration": 1,
            "history": HISTORY,
        },
    }


def parse_condition(text: str) -> Object:
    head, _, message = text.partition(" ")
    type_, _, rest = head.partition("=")
    status, _, reason = rest.partition("/")
    fixed = {"lastTransitionTime": EARLIER, "observedGeneration": 1}
    return {"type": type_, "status": status, "reason": reason, "message": message, **fixed}


class Site:
    """`boot` starts the operator on what is booted; every state of the resource since then is in `states`."""

    def __init__(self, node: PivotNode, client: Client, kubeconfig: Path) -> None:
        self.node, self.client = node, client
        self.logs: list[str] = []
        self._kubeconfig = node.control / "kubeconfig"
        self._kubeconfig.write_bytes(kubeconfig.read_bytes())
        self._operator: OperatorProcess | None = None
        self._etcd: dict[str, Object] = {}
        self._recorder: Recorder | None = None

    # the node

    def prepare_pivot(self) -> None:
        """What the pre-pivot leaves: both saved resources, and the boot order; see `node.create`."""
        self.node.write(NEW, "lib/lca/ibu.json", make_upgrade(UPGRADING))
        self.node.write(OLD, "lib/lca/ibu.json", {**make_upgrade(UNCONTROLLED), "savedInBoot": "the-boot-before"})
        request = {"bootId": "the-boot-before", "rationale": "upgrade", "requestedAt": "2026-01-01T00:00:30+00:00"}
        self.node.write(OLD, "lib/lca/reboot_requested.json", {**request, "accepted": True})
        self._etcd[OLD] = make_upgrade(UPGRADING)

    def boot(self, stateroot: str | None = None, *, prelude: str = "", **environment: str) -> str:
        """Reboot the node, into its default or by hand, and start the operator there; return what is booted."""
        self.stop()
        self._exchange(self.node.booted, self.node.boot(stateroot))
        self.start(prelude=prelude, **environment)
        return self.node.booted

    def start(self, *, prelude: str = "", **environment: str) -> None:
        """Start the operator."""
        self._recorder = Recorder(self.client)
        environment = {"POD_NAME": "operator", **environment}
        self._operator = OperatorProcess(
            self.node, Path("/run/node/kubeconfig"), environment=environment, prelude=prelude
        )
        self._operator.start()

    def restart(self) -> None:
        """Kill the operator (-9) and start it again, in the same boot."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Kill the operator (-9)."""
        if self._operator is not None:
            self._operator.kill()
            self.logs.append(self._operator.show_log())
            self._operator = None
        if self._recorder is not None:
            self._recorder.stop()
            self._recorder = None

    @property
    def operator(self) -> OperatorProcess:
        assert self._operator is not None
        return self._operator

    def _exchange(self, left: str, booted: str) -> None:
        """Each release has its own etcd: store the resource of one, bring back that of the other."""
        if left == booted:
            return
        if (current := self.client.find(IBU, "upgrade")) is not None:
            self._etcd[left] = current
            self.client.delete(IBU, "upgrade")
        if (stored := self._etcd.pop(booted, None)) is not None:
            self.put(stored)

    # the user

    def put(self, upgrade: Object) -> Object:
        """Store the resource as it is; the server gives what it gives."""
        metadata = {key: upgrade["metadata"][key] for key in ("name", "annotations") if key in upgrade["metadata"]}
        created = self.client.create({**upgrade, "metadata": metadata})
        return self.client.update_status({**created, "status": upgrade["status"]})

    def want(self, stage: str) -> Object:
        return self.client.patch_merge(IBU, "upgrade", {"spec": {"stage": stage}})

    def annotate(self, **annotations: str | None) -> Object:
        named = {key.replace("__", "/"): value for key, value in annotations.items()}
        return self.client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": named}})

    def read(self) -> Object:
        return self.client.get(IBU, "upgrade")

    def wait(self, matches: Callable[[Object], bool]) -> Object:
        """Return the first state since the start of the operator that matches."""
        assert self._recorder is not None
        return self._recorder.wait(matches)

    def wait_conditions(self, *conditions: str) -> Object:
        return self.wait(lambda obj: tuple(read_conditions(obj)) == conditions)

    def wait_last(self, text: str) -> Object:
        """Return the first state whose last condition starts with `text`."""
        return self.wait(lambda obj: bool(read_conditions(obj)) and read_conditions(obj)[-1].startswith(text))

    def states(self) -> list[Object]:
        assert self._recorder is not None
        return self._recorder.states()

    def list_shown(self) -> list[str]:
        """Return the distinct last conditions since the start of the operator, as `kubectl get ibu` showed them."""
        shown: list[str] = []
        for state in self.states():
            last = read_conditions(state)[-1:]
            if last and shown[-1:] != last:
                shown += last
        return shown

    def wait_file(self, path: Path) -> None:
        """Wait until a file is there."""
        wait_until(path.exists)

    def wait_reboot(self) -> None:
        """Wait until a reboot was accepted in this boot."""
        mark = self.node.var(self.node.booted) / "lib/lca/reboot_requested.json"
        boot_id = (self.node.control / "boot_id").read_text().strip()

        def accepted() -> bool:
            found = json.loads(mark.read_text()) if mark.exists() else {}
            return bool(found.get("accepted")) and found["bootId"] == boot_id

        wait_until(accepted)

    @contextmanager
    def broken(self, name: str, script: str) -> Iterator[None]:
        """A program of the node fails meanwhile."""
        self.node.break_program(name, script)
        yield
        self.node.mend_programs()


class Recorder:
    """Every version of the resource from its start on, as a user's watch sees it."""

    def __init__(self, client: Client) -> None:
        self._watch = client.watch(IBU, name="upgrade", timeout_seconds=600)
        self._states: list[Object] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        for event in self._watch:
            with self._changed:
                if event.type != "DELETED":
                    self._states.append(event.object)
                self._changed.notify_all()

    def wait(self, matches: Callable[[Object], bool]) -> Object:
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(matches, self._states)), WAIT_SECONDS):
                seen = "\n".join(str(read_conditions(state)[-2:]) for state in self._states)
                raise TimeoutError(f"the resource never became so; its last conditions were:\n{seen}")
            return next(state for state in self._states if matches(state))

    def states(self) -> list[Object]:
        with self._changed:
            return list(self._states)

    def stop(self) -> None:
        self._watch.stop()
        self._thread.join()


def wait_until(holds: Callable[[], bool]) -> None:
    """Look at a file, which sends no events here, until it is as expected."""
    for _ in range(int(WAIT_SECONDS * 50)):
        if holds():
            return
        threading.Event().wait(0.02)
    raise TimeoutError("it never became so")


def get_stages(upgrade: Object) -> tuple[str, ...]:
    return tuple(upgrade["status"].get("validNextStages", ()))
