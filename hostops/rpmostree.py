"""rpm-ostree: which deployments exist, in boot order, and which one is running."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostops.hostroot import HostRoot
from hostops.runner import CommandError, Runner

DEPLOY = "/ostree/deploy"
"""Folder of the stateroots. ostree sets its time anew at every change of the deployments or of their order."""


class DeploymentError(Exception):
    """The list of deployments does not hold what is looked for, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One bootable deployment; `id` is `<stateroot>-<commit>.<serial>`, `index` its place in boot order."""

    index: int
    id: str
    stateroot: str
    booted: bool
    checksum: str = ""
    staged: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Deployments:
    """All deployments in boot order: the first one is the default of the next boot."""

    items: tuple[Deployment, ...]

    @classmethod
    def parse(cls, text: str) -> Deployments:
        """Read the output of `rpm-ostree status --json`. Raises DeploymentError."""
        try:
            entries = json.loads(text)["deployments"]
            return cls(tuple(_parse_entry(index, entry) for index, entry in enumerate(entries)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DeploymentError(f"failed to unmarshal rpm-ostree status: {error!r}") from error

    @property
    def booted(self) -> Deployment:
        """The running deployment. Raises DeploymentError unless exactly one is marked as booted."""
        found = [item for item in self.items if item.booted]
        if len(found) != 1:
            raise DeploymentError("unable to determine booted stateroot")
        return found[0]

    def is_booted(self, stateroot: str) -> bool:
        """Say whether the running deployment belongs to `stateroot`."""
        return self.booted.stateroot == stateroot

    def unbooted_stateroot(self) -> str:
        """Return the stateroot of the first deployment that is not of the running one (ibu-api.md 4)."""
        booted = self.booted.stateroot
        for item in self.items:
            if item.stateroot != booted:
                return item.stateroot
        raise DeploymentError("unable to find deployment in unbooted stateroot")

    def index_of(self, stateroot: str) -> int:
        """Return the index of the first deployment of `stateroot`. Raises DeploymentError."""
        for item in self.items:
            if item.stateroot == stateroot:
                return item.index
        raise DeploymentError(f"unable to find deployment in stateroot: {stateroot}")

    def of_stateroot(self, stateroot: str) -> Sequence[Deployment]:
        """Return the deployments of `stateroot` in boot order."""
        return [item for item in self.items if item.stateroot == stateroot]


def _parse_entry(index: int, entry: dict[str, Any]) -> Deployment:
    return Deployment(
        index=index,
        id=entry.get("id", ""),
        stateroot=entry["osname"],
        booted=bool(entry.get("booted")),
        checksum=entry.get("checksum", ""),
        staged=bool(entry.get("staged")),
        pinned=bool(entry.get("pinned")),
    )


class RpmOstree:
    """The rpm-ostree commands of the upgrade."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def status(self) -> Deployments:
        """Return the deployments. Raises DeploymentError, with `failed to query status with rpmostree: ` in front."""
        try:
            return Deployments.parse(self._runner.run("rpm-ostree", "status", "--json", stdout_only=True).output)
        except (CommandError, DeploymentError) as error:
            raise DeploymentError(f"failed to query status with rpmostree: {error}") from error

    def cleanup_base(self) -> None:
        """Drop temporary base refs, so that unreferenced commits can be pruned. Raises CommandError."""
        self._runner.run("rpm-ostree", "cleanup", "-b")

    def kargs(self) -> list[str]:
        """Return the kernel arguments of the default deployment. Raises CommandError."""
        return self._runner.run("rpm-ostree", "kargs", stdout_only=True).output.split()


class KnownDeployments:
    """The deployments as of the last time that ostree changed something; asking starts programs, and often a daemon.

    ostree's own programs rely on the same mark (`ostree_sysroot_load_if_changed`).
    """

    def __init__(self, runner: Runner, root: HostRoot) -> None:
        self._rpm_ostree = RpmOstree(runner)
        self._folder = root.path(DEPLOY)
        self._known: tuple[int, Deployments] | None = None

    def status(self, *, fresh: bool = False) -> Deployments:
        """See `RpmOstree.status`; `fresh` asks in any case. Nothing is remembered of a host without the folder."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns  # looked at first: a change meanwhile is asked for again
        except OSError:
            return self._rpm_ostree.status()
        if fresh or self._known is None or self._known[0] != changed_ns:
            self._known = changed_ns, self._rpm_ostree.status()
        return self._known[1]
