"""The Backups and Restores that a user hands over in ConfigMaps, and the rules they must keep together. Pure.

Each rule returns all its violations; the first texts are the documented ones (prep.md 4.3), the others find in Prep
what would break hours later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.kube.manifests import WAVE_ANNOTATION, WaveError, read_wave
from agent.velero.apply_label import ANNOTATION, ApplyLabelError, LabelTarget, parse_apply_label
from agent.velero.content_types import check_types
from agent.velero.filters import uses_scoped_lists
from agent.velero.names import BACKUP, OADP_NAMESPACE
from agent.velero.portable import make_portable
from agent.velero.time_limit import TimeLimitError, read_time_limit

Object = dict[str, Any]

NOT_PAIRED = (
    "Both backup and restore CRs should be specified in OADP configmaps and each backup CR should be paired with a "
    "corresponding restore CR."
)
_OLD_FILTERS = ("includedResources", "excludedResources", "includeClusterResources")


@dataclass(frozen=True, slots=True)
class Content:
    """Backups and Restores in the order in which they were found."""

    backups: tuple[Object, ...]
    restores: tuple[Object, ...]


def select_content(objects: Iterable[Object]) -> Content:
    """Keep the Velero Backups and Restores, without status and server-side metadata; ignore everything else."""
    kept: dict[str, list[Object]] = {"Backup": [], "Restore": []}
    for obj in objects:
        if obj.get("apiVersion") == BACKUP.api_version and obj.get("kind") in kept:
            kept[obj["kind"]].append(make_portable(obj))
    return Content(tuple(kept["Backup"]), tuple(kept["Restore"]))


def check_references(content: Content) -> Iterator[str]:
    """Yield a text for each Restore whose Backup is not part of the content."""
    known = {get_name(backup) for backup in content.backups}
    for restore in content.restores:
        wanted = (restore.get("spec") or {}).get("backupName", "")
        if wanted not in known:
            yield f"The backup CR {wanted} defined in restore CR {get_name(restore)} not found in OADP configmaps"


def check_pairing(content: Content) -> str | None:
    """Return the text for content that is not made of pairs: one Restore for each Backup, and at least one pair."""
    used = Counter((restore.get("spec") or {}).get("backupName", "") for restore in content.restores)
    if not content.backups or len(content.backups) != len(content.restores):
        return NOT_PAIRED
    lonely = [get_name(backup) for backup in content.backups if used[get_name(backup)] != 1]
    if lonely:
        return f"{NOT_PAIRED} Not restored exactly once: {', '.join(lonely)}"
    return None


def check_waves(content: Content) -> Iterator[str]:
    """Yield a text for each apply-wave that is no integer."""
    for obj in (*content.backups, *content.restores):
        try:
            read_wave(obj)
        except WaveError as error:
            yield f"{obj['kind']} {get_name(obj)}: annotation {WAVE_ANNOTATION}: {error}"


def check_namespaces(content: Content) -> Iterator[str]:
    """Yield a text for each object that is not where Velero looks for it."""
    for obj in (*content.backups, *content.restores):
        namespace = obj["metadata"].get("namespace")
        if namespace != OADP_NAMESPACE:
            found = namespace or "empty"
            yield f"{obj['kind']} {get_name(obj)}: metadata.namespace must be {OADP_NAMESPACE}, not {found}"


def check_time_limits(content: Content) -> Iterator[str]:
    """Yield a text for each time limit that is no duration."""
    for backup in content.backups:
        try:
            read_time_limit(backup["metadata"].get("annotations"))
        except TimeLimitError as error:
            yield f"Backup {get_name(backup)}: {error}"


def check_filters(content: Content) -> Iterator[str]:
    """Yield a text for each combination of filters that Velero refuses only when the backup starts."""
    for obj in (*content.backups, *content.restores):
        spec = obj.get("spec") or {}
        if spec.get("labelSelector") and spec.get("orLabelSelectors"):
            yield f"{obj['kind']} {get_name(obj)}: use either spec.labelSelector or spec.orLabelSelectors, not both"
    for backup in content.backups:
        spec = backup.get("spec") or {}
        old = [key for key in _OLD_FILTERS if spec.get(key) not in (None, [])]
        if uses_scoped_lists(spec) and old:
            yield (
                f"Backup {get_name(backup)}: spec.{old[0]} can not be combined with the filters by scope "
                "(spec.includedNamespaceScopedResources and the like)"
            )


def check_shared_targets(content: Content) -> Iterator[str]:
    """Yield a text for each object that two Backups of one wave label: the second label overwrites the first.

    Backups of different waves may share an object, since the first has ended before the second one labels it. Raises
    ApplyLabelError and WaveError.
    """
    owners: dict[tuple[int, LabelTarget], str] = {}
    for backup in content.backups:
        for target in read_targets(backup):
            first = owners.setdefault((read_wave(backup), target), get_name(backup))
            if first != get_name(backup):
                yield (
                    f"{target.path} is named by {ANNOTATION} of both Backup {first} and Backup {get_name(backup)}: "
                    "only the last one would save it; put them into different waves"
                )


def check_apply_labels(content: Content) -> Iterator[str]:
    """Yield a text for each malformed apply-label item."""
    for backup in content.backups:
        try:
            read_targets(backup)
        except ApplyLabelError as error:
            yield str(error)


def read_targets(backup: Mapping[str, Any]) -> list[LabelTarget]:
    """Return the objects that the Backup's apply-label annotation names. Raises ApplyLabelError."""
    value = (backup["metadata"].get("annotations") or {}).get(ANNOTATION)
    if value is None:
        return []
    if not isinstance(value, str):
        raise ApplyLabelError(f"invalid apply-label obj in annotation value: {value}")
    return parse_apply_label(value)


def get_name(obj: Mapping[str, Any]) -> str:
    """Return the object's name."""
    return str((obj.get("metadata") or {}).get("name", ""))


def find_unusable(content: Content) -> list[str]:
    """Return a text for each object that no other rule could read: without a name, or with a field of a wrong type."""
    unnamed = [
        f"{obj['kind']} without metadata.name in OADP configmaps"
        for obj in (*content.backups, *content.restores)
        if not get_name(obj)
    ]
    return [*unnamed, *check_types((*content.backups, *content.restores))]


def find_flaws(content: Content) -> list[str]:
    """Return a text for everything that makes it pointless to begin with the Backups, whatever the cluster is like."""
    if unusable := find_unusable(content):
        return unusable
    waves, labels = list(check_waves(content)), list(check_apply_labels(content))
    shared = [] if waves or labels else list(check_shared_targets(content))
    return [*check_namespaces(content), *waves, *labels, *shared, *check_time_limits(content)]
