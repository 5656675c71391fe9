"""Collects what a decision looks at besides the resource: deployments, what this stateroot remembers, certificates."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from agent.ibu.decide import Facts
from agent.ibu.drift import find_drift, find_target
from agent.ibu.stages import find_current_stage
from agent.pivot.decided import RollbackDecision
from agent.pivot.returns import find_departure
from crds.imagebasedupgrade import ImageBasedUpgrade, ImageBasedUpgradeSpec, Stage
from hostops.hostroot import HostRoot
from hostops.rpmostree import DeploymentError, Deployments

log = logging.getLogger(__name__)


def collect_facts(
    root: HostRoot,
    cr: ImageBasedUpgrade,
    accepted: ImageBasedUpgradeSpec | None,
    deployments: Deployments,
    cleanup_wait: timedelta | None,
) -> Facts:
    """Return the facts of this pass. Raises DeploymentError and OSError."""
    after_pivot = deployments.is_booted(find_target(cr, accepted))
    return Facts(
        after_pivot=after_pivot,
        rollback_expiration=find_rollback_expiration(root, cr, deployments) if after_pivot else None,
        cleanup_wait=cleanup_wait,
        drift=find_drift(cr, accepted),
        spec_accepted=accepted is not None,
        departure=find_departure(root),
        rollback=RollbackDecision(root).read(),
    )


def find_rollback_expiration(root: HostRoot, cr: ImageBasedUpgrade, deployments: Deployments) -> datetime | None:
    """Read the certificates of the other release when they matter and are not in the status already."""
    known = cr.status.rollback_availability_expiration
    if known is not None or find_current_stage(cr.status.conditions) not in (Stage.UPGRADE, Stage.ROLLBACK):
        return known
    from agent.pivot.certificates import ExpirationUnknown, find_expiration

    try:
        return find_expiration(root, deployments.unbooted_stateroot())
    except (ExpirationUnknown, DeploymentError) as error:
        log.warning("it is not known until when a rollback is safe", extra={"reason": str(error)})
        return None
