"""The `lca.openshift.io/apply-label` annotation of a Backup: which objects get its label (upgrade-and-oadp.md 6.2)."""

from __future__ import annotations

from dataclasses import dataclass

ANNOTATION = "lca.openshift.io/apply-label"
LABEL = "lca.openshift.io/backup"
MAX_LABEL_LENGTH = 63


class ApplyLabelError(ValueError):
    """An item of the annotation does not name an object."""


@dataclass(frozen=True, slots=True)
class LabelTarget:
    """One object that a Backup selects by label; `resource` is the plural, `namespace` is empty for cluster scope."""

    group: str
    version: str
    resource: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """The object's path on the API server."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{root}{scope}/{self.resource}/{self.name}"


def parse_apply_label(value: str) -> list[LabelTarget]:
    """Parse the comma-separated list; repeated items count once, blanks around items do not count.

    Raises ApplyLabelError for the first item that has not 3, 4 or 5 parts.
    """
    items = dict.fromkeys(item.strip() for item in value.split(",")) if value else {}
    return [_parse_item(item) for item in items]


def label_patch(backup: str) -> dict[str, object]:
    """Return the merge patch that puts the Backup's label onto an object."""
    return {"metadata": {"labels": {LABEL: backup}}}


def _parse_item(item: str) -> LabelTarget:
    match item.split("/"):
        case [version, resource, name]:
            return LabelTarget("", version, resource, "", name)
        case ["v1", resource, namespace, name]:
            return LabelTarget("", "v1", resource, namespace, name)
        case [group, version, resource, name]:
            return LabelTarget(group, version, resource, "", name)
        case [group, version, resource, namespace, name]:
            return LabelTarget(group, version, resource, namespace, name)
    raise ApplyLabelError(f"invalid apply-label obj in annotation value: {item}")
