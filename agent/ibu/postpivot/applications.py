"""Application data in the new release: OADP is there, Restores run wave by wave (post-pivot-and-rollback.md 9.1)."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.postpivot.giving_up import give_up
from agent.ibu.telling import tell
from agent.pivot.completion import STATE_DIRECTORY
from agent.velero.evidence import EVIDENCE
from agent.velero.handed_over import load_restores
from agent.velero.notice import Notice
from agent.velero.protection import find_missing_application
from agent.velero.reclaim import restore_reclaim_policies
from agent.velero.restores import RestoreRun, run_restores
from agent.workflow.outcome import Done, Failed, Outcome
from hostops.mounts import remount_writable
from hostops.rpmostree import DeploymentError
from hostops.runner import CommandError
from hostops.stateroots import stateroot_path
from seeds.cluster import CLUSTER_VERSION
from seeds.handover import OADP, OADP_DPA, OADP_RESTORES

log = logging.getLogger(__name__)


def check_applications(context: StageContext) -> Outcome:
    """Where OADP was set up before, it must be now: without it nothing can be restored."""
    root = context.ports.root
    missing = find_missing_application(context.ports.client, root.resolve(OADP_DPA))
    if missing is None:
        return Done()
    error = f"DataProtectionApplication {missing} is not found"
    return give_up(context, messages.ROLLBACK_DUE_TO_MISSING_APPLICATION, error)


def restore_applications(context: StageContext) -> Outcome:
    """Run the Restores; afterwards volumes get their policy back, and what was handed over is removed."""
    ports = context.ports
    groups = load_restores(ports.root.resolve(OADP_RESTORES))
    if not groups:
        return Done()
    cluster_id = ports.client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"]
    run = RestoreRun(ports.client, cluster_id, context.now(), _open_evidence(context), _make_report(context))
    outcome = run_restores(run, groups)
    if isinstance(outcome, Failed):
        return give_up(context, messages.ROLLBACK_DUE_TO_RESTORES, outcome.message)
    if isinstance(outcome, Done):
        restore_reclaim_policies(ports.client)
        shutil.rmtree(ports.root.resolve(OADP))
        log.info("application data restored", extra={"restores": sum(map(len, groups))})
    return outcome


def _open_evidence(context: StageContext) -> Path | None:
    """Return where the original release keeps what explains a failure: this one is gone after a rollback."""
    ports = context.ports
    try:
        state = ports.root.path(f"{stateroot_path(context.deployments.unbooted_stateroot())}{STATE_DIRECTORY}")
        if not os.access(state, os.W_OK):
            remount_writable(ports.runner)
    except (CommandError, DeploymentError) as error:
        log.warning("what explains failed Restores can not be kept: %s", error)
        return None
    return state / Path(EVIDENCE).relative_to(STATE_DIRECTORY)


def _make_report(context: StageContext) -> Callable[[Notice], object]:
    return lambda notice: tell(context, "Warning", notice.reason, notice.text)
