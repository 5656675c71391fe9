"""Checks the Backups and Restores of `spec.oadpContent` against the cluster, all at once (prep.md 4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import quote

from agent.ibu.itineraries import StageContext
from agent.ibu.prep.at_once import map_at_once
from agent.ibu.prep.findings import Findings
from agent.kube import Client, Kind, Object, errors
from agent.velero import content as rules
from agent.velero.apply_label import label_patch
from agent.velero.content import Content, get_name
from agent.velero.deletion import DeletionError
from agent.velero.installation import is_oadp_installed
from agent.velero.lvms_pitfalls import find_pitfalls, list_claimed_volumes
from agent.velero.messages import list_some
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE, PERSISTENT_VOLUME
from agent.velero.notice import log_notice
from agent.velero.reading import collect_content
from agent.velero.stale import Owner, delete_stale, find_stale, list_live_backups
from seeds.cluster import CLUSTER_VERSION

CLAIM = Kind("", "v1", "PersistentVolumeClaim")

_AVAILABILITY = "failed to check oadp operator availability: "
_CONFIG_MAPS = "failed to validate oadp configMap: "


def check_oadp_content(context: StageContext) -> tuple[Findings, Content]:
    """Return all findings, and the content when it could be read. Raises transient ApiErrors.

    Nothing remains in the cluster: objects are created, and labels set, in dry runs only.
    """
    client, findings = context.ports.client, Findings()
    if not is_oadp_installed(client):
        findings.add(_AVAILABILITY, [f"Please ensure OADP operator is installed in the {OADP_NAMESPACE}"])
        return findings, Content((), ())
    if problem := _check_data_protection(client):
        findings.add(_AVAILABILITY, [problem])
    found = collect_content(client, context.cr.spec.oadp_content)
    content = found.content
    findings.add(_CONFIG_MAPS, found.problems)
    findings.warnings += found.warnings
    if findings.problems:
        return findings, Content((), ())
    findings.add(_CONFIG_MAPS, _check_content(context, content))
    if not findings.problems:
        findings.warnings += find_lvms_pitfalls(client, content)
    return findings, content


def find_lvms_pitfalls(client: Client, content: Content) -> list[str]:
    """Warn of LVM Storage volumes whose content the pairs would lose; silent where there are none."""
    volumes = list_claimed_volumes(client.list(PERSISTENT_VOLUME), client.list(CLAIM))
    return find_pitfalls(volumes, content.backups, content.restores) if volumes else []


def await_stale_backups(context: StageContext, content: Content) -> str | None:
    """Let Velero delete live Backups that bear these names; there is none of this upgrade yet (prep.md 4.3).

    Returns what is being waited for, or None when no stale Backup is left. Raises DeletionError and ApiError.
    """
    if not content.backups:
        return None
    client = context.ports.client
    owner = Owner(client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"], None)
    stale = find_stale(list_live_backups(client), content.backups, owner)
    try:
        awaited = delete_stale(client, stale, owner, context.now(), log_notice)
    except DeletionError as error:
        raise DeletionError(f"Failed to cleanup stale Backups: {error}") from error
    return list_some(awaited) or None


def _check_data_protection(client: Client) -> str | None:
    try:
        applications = client.list(DATA_PROTECTION, OADP_NAMESPACE)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return f"failed to list dpa: {error}"
    if not applications:
        return f"No DataProtectionApplication CR found in the {OADP_NAMESPACE}"
    if len(applications) > 1:
        return f"Only one DataProtectionApplication CR is allowed in the {OADP_NAMESPACE},"
    return None


def _check_content(context: StageContext, content: Content) -> Iterator[str]:
    client = context.ports.client
    unusable = rules.find_unusable(content)
    yield from unusable
    if unusable:
        return
    for problems in map_at_once(partial(_dry_run, client, "Backup", "backup"), content.backups):
        yield from problems
    malformed = list(rules.check_apply_labels(content))
    yield from malformed
    if not malformed:
        yield from _check_label_targets(context, content.backups)
    for problems in map_at_once(partial(_dry_run, client, "Restore", "Restore"), content.restores):
        yield from problems
    unknown = list(rules.check_references(content))
    yield from unknown
    if not unknown and (unpaired := rules.check_pairing(content)):
        yield unpaired
    yield from rules.check_namespaces(content)
    yield from (bad_waves := list(rules.check_waves(content)))
    if not malformed and not bad_waves:
        yield from rules.check_shared_targets(content)
    yield from rules.check_filters(content)
    yield from rules.check_time_limits(content)


def _dry_run(client: Client, title: str, word: str, obj: Object) -> list[str]:
    try:
        client.create(obj, dry_run=True)
    except errors.AlreadyExists:
        return []
    except errors.Invalid as error:
        return [
            f"Invalid {title} {get_name(obj)} detected in configmap, error: {error}. "
            f"Please update the invalid {title} in configmap."
        ]
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return [f"failed to create {word} with dry run: {error}"]
    return []


def _check_label_targets(context: StageContext, backups: Sequence[Object]) -> Iterator[str]:
    """Set each Backup's label on its targets in a dry run, as the node's administrator."""
    prefix = "failed apply backup label to objects included in apply-backup annotation: failed to patch object: "
    wanted = [(backup, target) for backup in backups for target in rules.read_targets(backup)]
    if not wanted:
        return
    with context.ports.connect_admin() as admin:
        for backup, target in wanted:
            try:
                admin.request(
                    "PATCH",
                    quote(target.path),
                    query={"dryRun": "All"},
                    body=label_patch(get_name(backup)),
                    content_type="application/merge-patch+json",
                )
            except errors.Transient:
                raise
            except errors.ApiError as error:
                yield f"{prefix}{error}"
