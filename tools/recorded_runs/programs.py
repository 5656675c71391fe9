"""Recorded runs of programs on the node (`cli-*`), with ours in their place."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.recorded_runs.accepted import Accepted
from tools.recorded_runs.actions import UnknownActionError
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.compare import Difference, compare_effects
from tools.recorded_runs.host import INSTALLED
from tools.recorded_runs.replay import Result
from tools.recorded_runs.scenario import FileChange, Scenario, load_yaml
from tools.recorded_runs.site import Site
from tools.recorded_runs.snapshot import list_changes, name_as_recorded, take_snapshot
from tools.recorded_runs.state import make_object

_HANDED_OVER = Path(__file__).with_name("handed_over.yaml")
_NEW = "rhcos_4.15.3"
_OURS = {"post-pivot": "post-pivot", "init-monitor": "init-monitor"}
_PROGRAM = "from agent.node.main import main; main()"
_LIMIT_SECONDS = 60.0
_AFTER_REBOOT_SECONDS = 2.0
_POLL_SECONDS = 0.1


class ProgramReplay(Site):
    """A program's run on a node that is booted into the new stateroot; a context manager."""

    def __init__(self, scenario: Scenario, cluster: RecordedCluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self.scenario = scenario
        self.log = ""

    def run(self) -> Result:
        """Run the program until it ends, or for a moment after it has asked for a reboot. Raises UnknownActionError."""
        words = list(self.scenario.command[1:])
        if words[0] not in _OURS:
            raise UnknownActionError(f"{words[0]} needs images and a registry: see tests/host")
        self._set_up()
        before = take_snapshot(self.host.sysroot)
        log = self.host.folder / "log"
        with log.open("w") as file:
            argv = self.host.enter(**(self.scenario.given.get("env") or {}))
            argv += ["-c", _PROGRAM, _OURS[words[0]], *words[1:]]
            process = subprocess.Popen(argv, stdout=file, stderr=file)
            exit_code = self._await_end(process)
        self.log = log.read_text()
        placed = {name_as_recorded(path) for path in self.host.placed()}
        changes = list_changes(before, take_snapshot(self.host.sysroot), placed - before.keys())
        return Result(
            states=[],
            commands=[(words, nesting > 0) for _, nesting, words in self.host.commands()],
            files=[self._name(change) for change in changes if "/var/" in change.path],
            refusals=[],
            exit_code=exit_code,
            booted=self.host.booted,
            deployments=self.host.deployments(),
            log=self.log,
        )

    def compare(self, accepted: Accepted) -> list[Difference]:
        """Run it and compare what it did to the host."""
        return compare_effects(self.scenario, accepted, self.run())

    def _set_up(self) -> None:
        self.host.deploy(_NEW)
        self.boot((_NEW, INSTALLED), _NEW)
        given = self.scenario.given
        if "autorollback_config" in given:
            self.host.write("/var/lib/lca/autorollback_config.json", json.dumps(given["autorollback_config"]))
        saved = {"metadata": {"name": "upgrade"}, **make_object(load_yaml(_HANDED_OVER)["saved"])}
        self.host.write("/var/lib/lca/ibu.json", json.dumps(saved), INSTALLED)
        if self.scenario.command[1] == "post-pivot":
            self._hand_over(given)

    def _hand_over(self, given: Mapping[str, Any]) -> None:
        handed_over = load_yaml(_HANDED_OVER)
        for path, entry in handed_over["files"].items():
            self.host.place(path, entry, _NEW)
        manifest = handed_over["reconfiguration"]
        for change in self.scenario.changes:
            manifest = manifest | (change.get("reconfiguration") or {})
        self.host.write("/var/opt/openshift/cluster-configuration/manifest.json", json.dumps(manifest))
        fault = given.get("fault")
        if fault == "recert container exits 1":
            self.host.answer("recert-code", "1")
        elif fault:
            raise UnknownActionError(f"nobody knows this fault here: {fault}")

    def _await_end(self, process: subprocess.Popen[bytes]) -> int | None:
        """The exit code; None when it was killed after it had asked for a reboot."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        asked: float | None = None
        while process.poll() is None:
            now = time.monotonic()
            if asked is None and any(words[0] == "systemd-run" for _, _, words in self.host.commands()):
                asked = now
            if now > deadline or (asked is not None and now > asked + _AFTER_REBOOT_SECONDS):
                process.kill()
                process.wait()
                return None
            time.sleep(_POLL_SECONDS)
        return process.returncode

    @staticmethod
    def _name(change: FileChange) -> FileChange:
        """Recordings of programs name paths of the booted system."""
        return replace(change, path=change.path.removeprefix(f"/ostree/deploy/{_NEW}"))
