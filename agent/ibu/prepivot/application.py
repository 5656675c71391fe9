"""Saves the applications: backups, then what restores them in the new release (upgrade-and-oadp.md 6 and 7)."""

from __future__ import annotations

from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.target import RepeatedError, locate, repeated
from agent.ibu.telling import tell
from agent.velero.backups import BackupRun, run_backups
from agent.velero.content import Content
from agent.velero.evidence import EVIDENCE
from agent.velero.handed_over import save_protection, save_restores
from agent.velero.protection import MissingSecretError, ProtectionError, export_protection
from agent.velero.reading import ContentError, read_content
from agent.workflow.outcome import Done, Failed, Outcome
from crds.base import format_time
from crds.imagebasedupgrade import Stage
from hostops.bootid import read_boot_id
from seeds.cluster import CLUSTER_VERSION
from seeds.handover import OADP, OADP_DPA, OADP_RESTORES, OADP_SECRETS, remove_tree
from seeds.identity import read_field


def back_up(context: StageContext) -> Outcome:
    """Let Velero back the applications up, wave by wave; done when all Backups of this attempt are complete."""
    if not context.cr.spec.oadp_content:
        return Done()
    try:
        with repeated("error while handling backup"):
            content = _read_content(context)
            cluster_id = read_field(context.ports.client.get(CLUSTER_VERSION, "version"), "spec", "clusterID")
    except ContentError as error:
        return Failed(str(error))
    run = BackupRun(
        client=context.ports.client,
        connect_admin=context.ports.connect_admin,
        cluster_id=cluster_id,
        attempt=identify_attempt(context),
        now=context.now(),
        evidence=context.ports.root.path(EVIDENCE),
        report=lambda notice: tell(context, "Warning", notice.reason, notice.text),
        boot_id=read_boot_id(context.ports.root),
    )
    return run_backups(run, content.backups)


def export_application(context: StageContext) -> Outcome:
    """Write the DataProtectionApplication, its Secrets and the Restores; nothing without `spec.oadpContent`."""
    try:
        with repeated("error while exporting OADP configuration and restores"):
            remove_tree(locate(context, OADP))
            if context.cr.spec.oadp_content:
                protection, content = export_protection(context.ports.client), _read_content(context)
                save_protection(locate(context, OADP_DPA), locate(context, OADP_SECRETS), protection)
                save_restores(locate(context, OADP_RESTORES), content.restores)
    except MissingSecretError as error:
        raise RepeatedError(f"error while exporting OADP configuration and restores: {error}") from error
    except ProtectionError as error:
        return Failed(f"failed to export OADP configuration: {error}")
    except ContentError as error:
        return Failed(str(error))
    return Done()


def identify_attempt(context: StageContext) -> str:
    """Return what tells this upgrade from every other one, also of the same cluster."""
    started = (entry.start_time for entry in context.cr.status.history if entry.stage == Stage.UPGRADE)
    time = next((time for time in started if time), None)
    assert time, "the stage has begun"
    return f"{context.cr.metadata.uid} {format_time(time)}"


def _read_content(context: StageContext) -> Content:
    return read_content(context.ports.client, context.cr.spec.oadp_content)
