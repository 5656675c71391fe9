"""When the upgrade agent of a sandbox is there: its resource `upgrade` is Idle."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from agent.kube import Client, Kind, Object, errors
from sandbox.node.failure import SandboxError

NAMESPACE = "openshift-lifecycle-agent"
OPERATOR = "lifecycle-agent-controller-manager"
_DEPLOYMENT = Kind("apps", "v1", "Deployment")
_UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")


class NotIdleError(SandboxError):
    """The resource `upgrade` did not become Idle in time; the text says what it is instead."""


def wait_idle(kubeconfig: Path, timeout_seconds: float) -> bool:
    """Return True as soon as ImageBasedUpgrade `upgrade` is Idle, False at once if the cluster has no operator.

    A cluster in the middle of an upgrade is not waited for: any other stage counts as ready. Raises NotIdleError,
    ApiError.
    """
    deadline = time.monotonic() + timeout_seconds
    with contextlib.closing(Client.connect(kubeconfig)) as client:
        if client.find(_DEPLOYMENT, OPERATOR, NAMESPACE) is None:
            return False
        seen = "does not exist"
        while (left := deadline - time.monotonic()) > 0:
            with (
                contextlib.suppress(errors.WatchExpired),
                client.watch(_UPGRADE, name="upgrade", timeout_seconds=left) as watch,
            ):
                for event in watch:
                    if is_settled(event.object):
                        return True
                    seen = f"has the conditions {_describe(event.object)}"
    raise NotIdleError(f"ImageBasedUpgrade upgrade {seen} after {timeout_seconds:g} s; see the log of pod {OPERATOR}-*")


def is_settled(upgrade: Object) -> bool:
    """Whether it is Idle, or somebody has asked for another stage."""
    conditions = upgrade.get("status", {}).get("conditions", [])
    idle = any(each["type"] == "Idle" and each["status"] == "True" for each in conditions)
    return idle or upgrade.get("spec", {}).get("stage", "Idle") != "Idle"


def _describe(upgrade: Object) -> str:
    conditions = upgrade.get("status", {}).get("conditions", [])
    return ", ".join(f"{each['type']}={each['status']} ({each.get('message', '')})" for each in conditions) or "none"
