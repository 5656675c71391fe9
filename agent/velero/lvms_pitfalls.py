"""Backups and Restores that would lose the content of LVM Storage volumes over a pivot (upgrade-and-oadp.md 13). Pure.

The content stays on the disk; three saved things lead back to it: the PersistentVolume, the LogicalVolume and the
LogicalVolume's status. Without one of them the application starts with an empty volume, hours later and silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.velero.apply_label import ANNOTATION, LABEL, parse_apply_label
from agent.velero.filters import (
    CLAIMS,
    LOGICAL_VOLUMES,
    VOLUMES,
    ResourceName,
    backup_takes,
    labels_match,
    restore_takes,
    restores_status_of,
    takes_namespace,
    uses_scoped_lists,
)

Object = Mapping[str, Any]

PROVISIONER_ANNOTATION = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "topolvm.io"
_NAMED_VOLUMES = 3


@dataclass(frozen=True, slots=True)
class ClaimedVolume:
    """A topolvm PersistentVolume and the claim it is bound to."""

    name: str
    claim_namespace: str
    claim_name: str
    claim_labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"PV {self.name} (PVC {self.claim_namespace}/{self.claim_name})"


def list_claimed_volumes(volumes: Iterable[Object], claims: Iterable[Object]) -> list[ClaimedVolume]:
    """Pick the bound topolvm volumes; `claims` bring the labels that selectors look at."""
    labels = {
        (c["metadata"].get("namespace", ""), c["metadata"]["name"]): c["metadata"].get("labels") or {} for c in claims
    }
    found = []
    for volume in volumes:
        metadata, claim = volume["metadata"], (volume.get("spec") or {}).get("claimRef")
        if claim and (metadata.get("annotations") or {}).get(PROVISIONER_ANNOTATION) == PROVISIONER:
            key = (claim.get("namespace", ""), claim.get("name", ""))
            found.append(ClaimedVolume(metadata["name"], *key, labels.get(key, {})))
    return found


def find_pitfalls(volumes: Sequence[ClaimedVolume], backups: Iterable[Object], restores: Iterable[Object]) -> list[str]:
    """Return one warning per missing field, each with the field to add, and one for volumes that no Backup saves.

    Raises ApplyLabelError for a Backup whose apply-label annotation is malformed.
    """
    covered: set[str] = set()
    warnings: list[str] = []
    restores = list(restores)
    for backup in backups:
        taken = [volume for volume in volumes if _saves_claim(backup, volume)]
        if not taken:
            continue
        covered |= {volume.name for volume in taken}
        warnings += _check_backup(backup, taken)
        for restore in restores:
            if (restore.get("spec") or {}).get("backupName") == backup["metadata"]["name"]:
                warnings += _check_restore(restore, taken)
    lost = [volume for volume in volumes if volume.name not in covered]
    if lost:
        warnings.append(
            f"{_name_volumes(lost)} - no Backup saves its PersistentVolumeClaim, its content will not be restored: "
            f"add a Backup of namespace {lost[0].claim_namespace} with {CLAIMS.preferred}, {VOLUMES.preferred} and "
            f"{LOGICAL_VOLUMES.preferred}"
        )
    return warnings


def _check_backup(backup: Object, taken: Sequence[ClaimedVolume]) -> Iterator[str]:
    spec = backup.get("spec") or {}
    for resource, related in ((VOLUMES, True), (LOGICAL_VOLUMES, False)):
        if not backup_takes(spec, resource, related=related):
            yield _word(_name_backup(backup), _missing_in_backup(spec, resource), taken)
    named = _read_apply_label(backup)
    if named is not None:
        # Velero pulls a claim's volume in by itself, but never the LogicalVolume, which bears the volume's name.
        unlabelled = [volume for volume in taken if ("logicalvolumes", "", volume.name) not in named]
        if unlabelled:
            item = f"topolvm.io/v1/logicalvolumes/{unlabelled[0].name}"
            yield _word(_name_backup(backup), f"add {item} to annotation {ANNOTATION}", unlabelled)


def _name_backup(backup: Object) -> str:
    return f"Backup[{backup['metadata']['name']}]"


def _missing_in_backup(spec: Object, resource: ResourceName) -> str:
    if uses_scoped_lists(spec):
        return f"add {resource.preferred} to spec.includedClusterScopedResources"
    included = spec.get("includedResources")
    if included and not resource.is_in(included):
        return f"add {resource.preferred} to spec.includedResources and set spec.includeClusterResources: true"
    if resource.is_in(spec.get("excludedResources")):
        return f"remove {resource.preferred} from spec.excludedResources"
    return f"set spec.includeClusterResources: true so that {resource.preferred} are saved"


def _check_restore(restore: Object, taken: Sequence[ClaimedVolume]) -> Iterator[str]:
    spec, name = restore.get("spec") or {}, f"Restore[{restore['metadata']['name']}]"
    if spec.get("restorePVs") is not True:
        yield _word(name, "add restorePVs: true to spec", taken)
    if not restores_status_of(spec, LOGICAL_VOLUMES):
        yield _word(name, "add restoreStatus.includedResources: [logicalvolumes] to spec", taken)
    for resource in (VOLUMES, LOGICAL_VOLUMES):
        if not restore_takes(spec, resource):
            yield _word(name, f"let {resource.preferred} through the resource filters of spec", taken)


def _saves_claim(backup: Object, volume: ClaimedVolume) -> bool:
    spec = backup.get("spec") or {}
    if not (takes_namespace(spec, volume.claim_namespace) and backup_takes(spec, CLAIMS)):
        return False
    labels = dict(volume.claim_labels)
    selector = dict(spec.get("labelSelector") or {})
    named = _read_apply_label(backup)
    if named is not None:
        if (CLAIMS.preferred, volume.claim_namespace, volume.claim_name) in named:
            labels[LABEL] = backup["metadata"]["name"]
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), LABEL: backup["metadata"]["name"]}
    alternatives = spec.get("orLabelSelectors") or ()
    return labels_match(selector, labels) and (not alternatives or any(labels_match(s, labels) for s in alternatives))


def _read_apply_label(backup: Object) -> set[tuple[str, str, str]] | None:
    """Return (resource, namespace, name) of the objects that apply-label names, or None without the annotation."""
    annotation = (backup["metadata"].get("annotations") or {}).get(ANNOTATION)
    return {(t.resource, t.namespace, t.name) for t in parse_apply_label(annotation)} if annotation else None


def _word(subject: str, remedy: str, volumes: Sequence[ClaimedVolume]) -> str:
    return f"{subject} - content of {_name_volumes(volumes)} will not be restored: {remedy}"


def _name_volumes(volumes: Sequence[ClaimedVolume]) -> str:
    named = ", ".join(str(volume) for volume in volumes[:_NAMED_VOLUMES])
    more = len(volumes) - _NAMED_VOLUMES
    return f"{named} and {more} more" if more > 0 else named
