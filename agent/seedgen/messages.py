"""Every text of seed generation that users see in a condition (seed-image-and-gitops.md A.4, A.6-A.8).

Users and testers match these texts: they are exact. Where something is added, it stands at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

WAITING_FOR_HEALTH = "Waiting for system to stabilize"
STARTING = "Starting seed generation"
PULLING_RECERT = "Pulling recert image"
PREPARING = "Preparing for seed generation"
CLEANING = "Cleaning cluster resources"
LAUNCHING = "Launching imager container"
FINALIZING = "Finalizing seed generation"
RESTORING = "Restoring the cluster"
COMPLETED = "Seed Generation completed"

NO_SET_DEFAULT = 'Rejected: Installed release does not support "ostree admin set-default" feature'
NO_SHARED_STORAGE = "Rejected: Cluster must be configured with shared container storage"
ATTACHED_TO_HUB = "Rejected: Cluster must be detached from hub prior to seed generation"
NO_DNSMASQ = "Rejected due to system missing dnsmasq config required for IBU"
SANITIZED_PULL_SECRET = "Rejected due to invalid cluster pull-secret (previously sanitized without proper restore)"  # noqa: S105
HAS_VOLUMES = "Rejected: Cluster must not have any Persistent Volumes configured"
HAS_LOCAL_VOLUMES = "Rejected: Cluster must not have any LocalVolumes configured"
HAS_LVM_CLUSTERS = "Rejected: Cluster must not have any LVMClusters configured"
HAS_DATA_PROTECTION = "Rejected: Cluster must not have any DataProtectionApplication resources configured"
OLD_OADP = "Rejected: Cluster must have OADP version >= 1.3.1"
NO_IMAGE = "Rejected: spec.seedImage must name the image to push"

_FAILED = "Seed generation failed: "


def addons_present(namespaces: Sequence[str]) -> str:
    return f"Rejected due to presence of ACM addon(s): {', '.join(namespaces)}"


def upgrade_not_idle(stage: str) -> str:
    return f"Rejected: ImageBasedUpgrade upgrade must be Idle, it is in stage {stage}; finish or abort it first"


def check_failed(what: str, error: str) -> str:
    return f"Failure occurred during check for {what} in system validation: {error}"


def waiting_for_health(error: str) -> str:
    return f"{WAITING_FOR_HEALTH}: {error}"


def waiting(doing: str, what: str) -> str:
    return f"{doing}: {what}"


def error_retrying(doing: str, error: str) -> str:
    """An unexpected error: the work is repeated with growing delay, and the user sees why."""
    return f"{doing}: {error}, retrying"


def failed(message: str) -> str:
    """Message of the completed condition; the one in progress shows `message` itself."""
    return message if message.startswith(_FAILED) else _FAILED + message


def builder_failed(detail: str) -> str:
    return f"{_FAILED}imager container status check failed: {detail}"
