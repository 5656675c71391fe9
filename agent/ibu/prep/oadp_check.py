"""Checks the Backups and Restores of `spec.oadpContent` against the cluster, all at once (prep.md 4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import quote

from agent.ibu.itineraries import StageContext
from agent.ibu.prep.at_once import map_at_once
from agent.ibu.prep.config_maps import warn_of_binary_data
from agent.ibu.prep.content_types import check_types
from agent.ibu.prep.findings import Findings
from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import decode_config_map
from agent.velero import content as rules
from agent.velero.apply_label import label_patch
from agent.velero.content import OADP_NAMESPACE, Content, get_name, select_content
from agent.velero.deletion import (
    BACKUP,
    CLUSTER_ID_LABEL,
    BackupName,
    DeletionError,
    find_undeleted,
    request_deletion,
)
from agent.velero.installation import is_oadp_installed
from agent.velero.lvms_pitfalls import find_pitfalls, list_claimed_volumes
from crds.imagebasedupgrade import ConfigMapRef
from seeds.cluster import CLUSTER_VERSION

CONFIG_MAP = Kind("", "v1", "ConfigMap")
DATA_PROTECTION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
PERSISTENT_VOLUME = Kind("", "v1", "PersistentVolume")
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
    objects: list[Object] = []
    for reference in dict.fromkeys(context.cr.spec.oadp_content):
        objects += _read_config_map(client, reference, findings)
    if findings.problems:
        return findings, Content((), ())
    content = select_content(objects)
    findings.add(_CONFIG_MAPS, _check_content(context, content))
    if not findings.problems:
        findings.warnings += find_lvms_pitfalls(client, content)
    return findings, content


def find_lvms_pitfalls(client: Client, content: Content) -> list[str]:
    """Warn of LVM Storage volumes whose content the pairs would lose; silent where there are none."""
    volumes = list_claimed_volumes(client.list(PERSISTENT_VOLUME), client.list(CLAIM))
    return find_pitfalls(volumes, content.backups, content.restores) if volumes else []


def request_stale_backups(client: Client, content: Content) -> list[BackupName]:
    """Ask Velero to delete live Backups of these names that another cluster left in the bucket (prep.md 4.3).

    Returns all those that are (still) there. A Backup without any label is the user's own and stays.
    """
    cluster_id = client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"]
    stale = []
    for backup in content.backups:
        live = client.find(BACKUP, get_name(backup), _get_namespace(backup))
        labels = (live or {}).get("metadata", {}).get("labels") or {}
        if live and labels and labels.get(CLUSTER_ID_LABEL) != cluster_id:
            request_deletion(client, BackupName.of(live), {})
            stale.append(BackupName.of(live))
    return stale


def await_stale_backups(context: StageContext, content: Content) -> str | None:
    """Return what is being waited for, or None when no stale Backup is left. Raises DeletionError."""
    client = context.ports.client
    stale = request_stale_backups(client, content)
    try:
        remaining = find_undeleted(client, stale, context.now())
    except DeletionError as error:
        raise DeletionError(f"Failed to cleanup stale Backups: {error}") from error
    return ", ".join(backup.name for backup in remaining) or None


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


def _read_config_map(client: Client, reference: ConfigMapRef, findings: Findings) -> list[Object]:
    try:
        config_map = client.get(CONFIG_MAP, reference.name, reference.namespace)
    except errors.NotFound as error:
        text = f"OADP configmap not found, error: failed to get configMap {error}. Please create the configmap."
        findings.add(_CONFIG_MAPS, [text])
        return []
    except errors.Transient:
        raise
    except errors.ApiError as error:
        findings.add(_CONFIG_MAPS, [f"failed to oadp configMaps: failed to get configMap {error}"])
        return []
    objects, problems = decode_config_map(config_map)
    findings.add(f"{_CONFIG_MAPS}failed to decode file: ", problems)
    findings.warnings += warn_of_binary_data(config_map)
    return objects


def _check_content(context: StageContext, content: Content) -> Iterator[str]:
    client = context.ports.client
    unusable = [*rules.find_unnamed(content), *check_types(content)]
    yield from unusable
    if unusable:
        return
    for problems in map_at_once(partial(_dry_run, client, "Backup", "backup"), content.backups):
        yield from problems
    malformed = list(rules.check_apply_labels(content))
    yield from malformed
    if not malformed:
        yield from _check_label_targets(context, content.backups)
        yield from rules.check_shared_targets(content)
    for problems in map_at_once(partial(_dry_run, client, "Restore", "Restore"), content.restores):
        yield from problems
    unknown = list(rules.check_references(content))
    yield from unknown
    if not unknown and (unpaired := rules.check_pairing(content)):
        yield unpaired
    yield from rules.check_waves(content)
    yield from rules.check_filters(content)


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


def _get_namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))
