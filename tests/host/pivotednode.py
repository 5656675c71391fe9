"""A node in the middle of an upgrade: the new stateroot is booted, the old one holds the saved resource.

The clock is the test's: whoever waits for the reboot is ended by it, as the reboot itself would.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.node.ending import Interrupted
from agent.node.initmonitor.plan import FORCED_REBOOTS, LAST_REBOOT_SECONDS
from agent.node.waiting import Clock
from agent.pivot.saved import SAVED_PATH
from hostops.reboot import reboot_argv
from tests.host.scratchnode import ScratchNode

REBOOT_WAITS = {LAST_REBOOT_SECONDS, *(seconds for seconds, _ in FORCED_REBOOTS)}
OLD, NEW = "rhcos", "rhcos_4.16.1"
SAVED = {
    "apiVersion": "lca.openshift.io/v1",
    "kind": "ImageBasedUpgrade",
    "metadata": {"name": "upgrade", "managedFields": [{"manager": "x" * 500}]},
    "spec": {"stage": "Upgrade", "seedImageRef": {"version": "4.16.1", "image": "quay.io/org/seed:4.16.1"}},
    "status": {
        "conditions": [
            {
                "type": "UpgradeInProgress",
                "status": "False",
                "reason": "Failed",
                "message": "Uncontrolled rollback",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ]
    },
}


class PivotedNode:
    """The node, and what its programs did to it."""

    def __init__(self, node: ScratchNode) -> None:
        self.node = node
        self.root, self.runner = node.root, node.runner
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 0.0, self._sleep)

    def _sleep(self, seconds: float) -> None:
        """Let time pass. A wait for a reboot is its end: what comes after it would reach the machine's kernel."""
        self.slept.append(seconds)
        if self.rebooted or seconds in REBOOT_WAITS:
            raise Interrupted

    @property
    def saved_file(self) -> Path:
        return self.node.stateroot_folder(OLD) / SAVED_PATH.lstrip("/")

    def save(self, content: str) -> None:
        self.saved_file.parent.mkdir(parents=True, exist_ok=True)
        self.saved_file.write_text(content)

    @property
    def reason(self) -> str:
        """The message in the saved resource of the old stateroot."""
        conditions = json.loads(self.saved_file.read_text())["status"]["conditions"]
        message: Any = next(each["message"] for each in conditions if each["type"] == "UpgradeInProgress")
        return str(message)

    @property
    def rebooted(self) -> bool:
        """Whether a reboot was asked for and not refused (`refuse_reboots`)."""
        return self.asked_reboots > len((self.node.run / "refusals").read_text().split())

    @property
    def asked_reboots(self) -> int:
        return self.node.commands().count(list(reboot_argv("rollback")))

    def refuse_reboots(self, count: int) -> None:
        """Let the first requests fail."""
        script = f'[ "$(wc -l </run/refusals)" -ge {count} ] || {{ echo x >>/run/refusals; echo busy; exit 1; }}'
        self.node.break_command("systemd-run --unit", script)

    @property
    def default_switched(self) -> bool:
        return ["ostree", "admin", "set-default", "1"] in self.node.commands()

    def write_config(self, **changes: Any) -> None:
        config = {
            "monitor_enabled": True,
            "monitor_timeout": 300,
            "enabled_components": {"config": True, "postpivot": True},
        }
        path = self.root.path("/var/lib/lca/autorollback_config.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**config, **changes}))


def boot_pivoted(directory: Path) -> PivotedNode:
    """Make and boot such a node."""
    node = ScratchNode(directory, stateroot=NEW, version="4.16.1")
    node.create()
    node.deploy(OLD)
    for stateroot in (OLD, NEW):
        (node.stateroot_folder(stateroot) / "var/lib/lca").mkdir(parents=True)
    (node.run / "refusals").touch()
    node.boot()
    pivoted = PivotedNode(node)
    pivoted.save(json.dumps(SAVED))
    pivoted.write_config()
    return pivoted
