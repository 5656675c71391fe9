"""Removing stateroots that are not running: the cleanup of an abort and of a finalized upgrade (ibu-api.md 6.3).

Nothing is touched unless exactly one running deployment is known, and the files of a stateroot stay as long as one of
its deployments is still bootable: a stateroot is either whole or gone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hostops.hostroot import HostRoot
from hostops.mounts import remove_tree_below_sysroot
from hostops.ostree import Ostree
from hostops.rpmostree import DEPLOY, Deployment, DeploymentError, RpmOstree
from hostops.runner import CommandError, Runner

logger = logging.getLogger(__name__)


class StaterootError(Exception):
    """A stateroot could not be removed; the text tells which and why."""


def stateroot_path(stateroot: str) -> str:
    """Return the host path of a stateroot's folder. Raises ValueError when the name is no plain file name."""
    if not stateroot or "/" in stateroot or stateroot in {".", ".."}:
        raise ValueError(f"not a stateroot name: {stateroot!r}")
    return f"{DEPLOY}/{stateroot}"


class Stateroots:
    """The stateroots of the host."""

    def __init__(self, runner: Runner, root: HostRoot) -> None:
        self._runner = runner
        self._root = root
        self._ostree = Ostree(runner)
        self._rpm_ostree = RpmOstree(runner)

    def names(self) -> list[str]:
        """Return the names of all stateroot folders, sorted. Raises StaterootError."""
        try:
            return sorted(entry.name for entry in self._root.path(DEPLOY).iterdir() if entry.is_dir())
        except OSError as error:
            raise StaterootError(f"failed to list stateroots: {error}") from error

    def remove_unbooted(self) -> None:
        """Remove every stateroot but the running one, and unused base commits.

        All are tried. Raises DeploymentError before anything is touched, StaterootError
        (`failed to remove <n> stateroots: <why, separated by semicolons>`) after everything was tried.
        """
        booted = self._rpm_ostree.status().booted.stateroot
        doomed = [name for name in self.names() if name != booted]
        logger.info("removing all stateroots but the running %s: %s", booted, ", ".join(doomed) or "none")
        problems = []
        for name in doomed:
            try:
                self.remove(name)
            except (StaterootError, DeploymentError) as error:
                problems.append(str(error))
        try:
            self._rpm_ostree.cleanup_base()
        except CommandError as error:
            problems.append(f"rpm-ostree cleanup -b: {error}")
        if problems:
            raise StaterootError(f"failed to remove {len(problems)} stateroots: {'; '.join(problems)}")

    def remove(self, stateroot: str) -> None:
        """Undeploy all deployments of `stateroot`, highest index first, then remove its folder; absence is fine.

        Raises DeploymentError when it cannot be told what is running, and StaterootError.
        """
        try:
            deployments = self._query_unbooted(stateroot)
            for deployment in reversed(deployments):
                self._ostree.undeploy(deployment.index)
            if deployments and self._rpm_ostree.status().of_stateroot(stateroot):
                raise StaterootError(f"{stateroot}: still deployed after undeploying it, its files are kept")
            if self._root.path(stateroot_path(stateroot)).exists():
                remove_tree_below_sysroot(self._runner, stateroot_path(stateroot))
        except CommandError as error:
            raise StaterootError(f"{stateroot}: {error}") from error

    def discard(self, stateroot: str) -> None:
        """Remove a half-built stateroot, its data first: undeploying needs space that they may have taken.

        Raises as `remove`.
        """
        if not self._query_unbooted(stateroot) and not self._root.path(stateroot_path(stateroot)).exists():
            return
        for name in self._list_data(stateroot):
            try:
                remove_tree_below_sysroot(self._runner, f"{stateroot_path(stateroot)}/{name}")
            except CommandError as error:
                raise StaterootError(f"{stateroot}: {error}") from error
        self.remove(stateroot)

    def _list_data(self, stateroot: str) -> list[str]:
        folder = self._root.path(stateroot_path(stateroot))
        return [entry.name for entry in folder.iterdir() if entry.name != "deploy"]

    def _query_unbooted(self, stateroot: str) -> Sequence[Deployment]:
        """Return the deployments of a stateroot that is not the running one. Raises DeploymentError, StaterootError."""
        deployments = self._rpm_ostree.status()
        if deployments.is_booted(stateroot):
            index = deployments.booted.index
            raise StaterootError(f"failed abort: deployment {index} in stateroot {stateroot} is booted")
        return deployments.of_stateroot(stateroot)
