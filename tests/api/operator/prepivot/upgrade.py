"""One upgrade: the custom resource, the node, and the controller that is started, killed and started again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.ibu.ports import ADMIN_KUBECONFIG, Ports
from agent.ibu.reconcile import UpgradeController
from agent.ibu.restoring import ensure_resource
from agent.kube import Client, Kind, Object
from agent.pivot.saved import SavedResource
from agent.runtime.worker import Request
from hostops.bootid import read_boot_id
from tests.api.operator.prepivot.cluster import RECORDED
from tests.host.scratchnode import ScratchNode
from tools.operator_process import read_conditions

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
OLD, NEW, VERSION = "rhcos", "rhcos_4.15.3", "4.15.3"
NAMESPACE = "openshift-lifecycle-agent"
SEED = {"version": VERSION, "image": "quay.io/org/seed:4.15.3"}
PREPARED = (
    ("Idle", "False", "InProgress", "In progress"),
    ("PrepInProgress", "False", "Completed", "Prep completed"),
    ("PrepCompleted", "True", "Completed", "Prep stage completed successfully"),
)
HISTORY = {"stage": "Prep", "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:10:00Z"}
MARK = "/var/lib/lca/reboot_requested.json"
SAVED = "/var/lib/lca/ibu.json"
_PRESENT = ("/var/lib/lca", "/var/opt", "/var/tmp", "/etc/NetworkManager")


def prepare_node(node: ScratchNode, kubeconfig: Path) -> None:
    """Give the booted node what recorded nodes have, and a second stateroot as Prep leaves it."""
    for folder in _PRESENT:
        node.root.path(folder).mkdir(parents=True, exist_ok=True)
    node.root.path("/var/lib/lca").chmod(0o700)
    files = {**RECORDED["host"], ADMIN_KUBECONFIG: kubeconfig.read_text()}
    for name, text in files.items():
        path = node.root.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    node.deploy(NEW)
    var = node.stateroot_folder(NEW) / "var"
    for folder in ("lib", "opt"):
        (var / folder).mkdir(exist_ok=True)
        (var / folder).chmod(0o755)
    (var / "lib/lca").mkdir(mode=0o700)
    (var / "lib/lca/autorollback_config.json").write_text("{}")
    (var / "opt/openshift").mkdir(mode=0o700)
    (var / "opt/openshift/kubeconfig-crypto").mkdir(mode=0o700)


class Upgrade:
    """What a test does as the user, and as the kubelet that runs the operator."""

    def __init__(self, client: Client, operator: Client, node: ScratchNode) -> None:
        self.client = client
        self.node = node
        self.ports = Ports(operator, node.runner, node.root, NAMESPACE, "manager-0", "")
        self.late = timedelta(0)
        self.old_release: dict[str, tuple[int, bytes | str]] = {}
        self._controller: UpgradeController | None = None

    @property
    def stateroot(self) -> Path:
        """The folder of the new stateroot."""
        return self.node.stateroot_folder(NEW)

    def begin(self, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        """Make a resource for which Prep is over, and ask for the upgrade."""
        metadata = {"name": "upgrade", "annotations": annotations or {}}
        body = {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": metadata}
        created = self.client.create({**body, "spec": {"stage": "Prep", "seedImageRef": SEED, **spec}})
        fixed = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
        names = ("type", "status", "reason", "message")
        conditions = [{**dict(zip(names, condition, strict=True)), **fixed} for condition in PREPARED]
        status = {"conditions": conditions, "validNextStages": ["Idle", "Upgrade"], "observedGeneration": 1}
        self.client.update_status({**created, "status": {**status, "history": [HISTORY]}})
        self.old_release = self.read_old_release()
        self.ask("Upgrade")

    def ask(self, stage: str) -> None:
        """Ask for a stage."""
        self.client.patch_merge(IBU, "upgrade", {"spec": {"stage": stage}})

    def annotate(self, **annotations: str) -> None:
        """Set annotations."""
        self.client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": annotations}})

    def read(self) -> Object:
        """Return the resource."""
        return self.client.get(IBU, "upgrade")

    @property
    def message(self) -> str:
        """What the last condition says."""
        return str(self.read()["status"]["conditions"][-1]["message"])

    def start(self) -> None:
        """Start the operator: what an earlier process knew is lost."""
        saved = SavedResource(self.node.root, boot_id=read_boot_id(self.node.root))
        ensure_resource(self.ports.client, saved, self.now())
        self._controller = UpgradeController(self.ports, saved, now=self.now)

    def now(self) -> datetime:
        """The time as the operator sees it."""
        return datetime.now(UTC) + self.late

    def run_pass(self) -> timedelta | None:
        """Let the operator look once."""
        if self._controller is None:
            self.start()
        assert self._controller
        return self._controller.reconcile(Request("upgrade"))

    def break_default(self, text: str = "broken") -> None:
        """Let `ostree admin set-default` fail from now on."""
        self.node.break_command("ostree admin", f"test \"$2\" != set-default || {{ echo '{text}'; exit 1; }}")

    def mend_default(self) -> None:
        """Let it succeed again."""
        self.node.break_command("ostree admin", "")

    # what the node shows

    def commands(self, *names: str) -> list[list[str]]:
        """The commands on the host that change something, or those with these names."""
        found = [command for command in self.node.commands() if not _is_query(command)]
        return [command for command in found if not names or command[0] in names]

    def default_stateroot(self) -> str:
        """Return what the next boot boots."""
        status = json.loads(self.node.runner.run("rpm-ostree", "status", "--json").output)
        return str(status["deployments"][0]["osname"])

    def read_old_release(self) -> dict[str, tuple[int, bytes | str]]:
        """Return all files of the running stateroot but those of the agent itself."""
        return snapshot(self.node.stateroot_folder(OLD), "var/lib/lca")

    def load_saved(self, stateroot: str) -> Object:
        """Return the resource saved in a stateroot, as it is in the file."""
        saved: Object = json.loads((self.node.stateroot_folder(stateroot) / SAVED[1:]).read_text())
        return saved

    def is_reboot_requested(self) -> bool:
        """Tell whether systemd was asked."""
        return any(command[0] == "systemd-run" for command in self.commands())


class Versions:
    """Every version of the resource since this was made."""

    def __init__(self, upgrade: Upgrade) -> None:
        self._upgrade = upgrade
        self._from = upgrade.read()["metadata"]["resourceVersion"]

    def list(self) -> list[Object]:
        """Return the versions up to now, the oldest first."""
        client, last = self._upgrade.client, self._upgrade.read()["metadata"]["resourceVersion"]
        found: list[Object] = []
        if last == self._from:
            return found
        with client.watch(IBU, name="upgrade", resource_version=self._from, timeout_seconds=30) as watch:
            for event in watch:
                found.append(event.object)
                if event.object["metadata"]["resourceVersion"] == last:
                    return found
        raise TimeoutError("the watch ended before the last version")


def list_states(versions: list[Object]) -> list[tuple[str, str, str]]:
    """Return the distinct states: conditions, valid next stages, phases of the history; `+` is a completion time."""
    states = [(", ".join(read_conditions(o)), _list_next(o), _list_phases(o)) for o in versions if o.get("status")]
    return [state for index, state in enumerate(states) if state not in states[:index]]


def snapshot(folder: Path, *without: str) -> dict[str, tuple[int, bytes | str]]:
    """Return path -> (mode, content) of everything below a folder, but for these paths."""
    return (
        {name: entry for name, entry in _walk(folder) if not name.startswith(without)}
        if without
        else dict(_walk(folder))
    )


def _walk(folder: Path) -> Iterator[tuple[str, tuple[int, bytes | str]]]:
    for path in sorted(folder.rglob("*")):
        name, mode = str(path.relative_to(folder)), path.lstat().st_mode & 0o7777
        if path.is_symlink():
            yield name, (mode, f"-> {path.readlink()}")
        else:
            yield name, (mode, path.read_bytes() if path.is_file() else "folder")


def _is_query(command: list[str]) -> bool:
    queries: tuple[Callable[[list[str]], bool], ...] = (
        lambda words: words[:2] == ["rpm-ostree", "status"],
        lambda words: words[:3] == ["ostree", "admin", "--help"],
        lambda words: words[:3] == ["ostree", "admin", "status"],
    )
    return any(query(command) for query in queries)


def _list_next(obj: Object) -> str:
    return " ".join(obj["status"].get("validNextStages", ()))


def _list_phases(obj: Object) -> str:
    def write(name: str, item: Object) -> str:
        return name + ("+" if item.get("completionTime") else "")

    return " ".join(
        write(entry["stage"], entry) + ":" + ",".join(write(phase["phase"], phase) for phase in entry.get("phases", ()))
        for entry in obj["status"].get("history", ())
    )


def read_tree(folder: Path) -> dict[str, Object]:
    """Return path -> object of every file below a folder of manifests."""
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in sorted(folder.rglob("*.*"))}
