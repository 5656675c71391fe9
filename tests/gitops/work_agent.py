"""The hub's agent on the site, for tests: applies a manifest work and reads feedback (seed-image-and-gitops.md F)."""

from __future__ import annotations

import copy
import re
from typing import Any

from agent.kube import Kind, errors
from tests.gitops.hub import RuledClient
from tests.gitops.policy import Object

OWNER = {
    "apiVersion": "work.open-cluster-management.io/v1",
    "kind": "AppliedManifestWork",
    "name": "hub-upgrade-prep",
    "uid": "00000000-0000-0000-0000-00000000beef",
}
_STEP = re.compile(r"""\.(?P<field>\w+)|\[\?\(@\.(?P<key>\w+)=="(?P<value>[^"]*)"\)\]""")

ACTIONS = {
    "Prep": ("Prep", "PrepCompleted"),
    "Upgrade": ("Upgrade", "UpgradeCompleted"),
    "Rollback": ("Rollback", "RollbackCompleted"),
    "Abort": ("Idle", "Idle"),
    "AbortOnFailure": ("Idle", "Idle"),
    "FinalizeUpgrade": ("Idle", "Idle"),
    "FinalizeRollback": ("Idle", "Idle"),
}
"""Action of a fleet's plan -> stage that it sends, condition whose status must become True."""


def make_manifest(stage: str, spec: Object, annotations: dict[str, str] | None = None) -> Object:
    """The resource in a manifest work: the plan's spec with one stage, and the nulls of a hub written in Go."""
    metadata = {"name": "upgrade", "creationTimestamp": None, "annotations": dict(annotations or {})}
    return {
        "apiVersion": "lca.openshift.io/v1",
        "kind": "ImageBasedUpgrade",
        "metadata": metadata,
        "spec": {**copy.deepcopy(spec), "stage": stage},
        "status": {"rollbackAvailabilityExpiration": None},
    }


def apply_manifest(client: RuledClient, manifest: Object) -> Object:
    """Create or replace the whole object, as the agent does every few minutes.

    Labels and annotations are added, never removed; finalizers stay; the work becomes an owner. Raises ApiError, whose
    text is what the hub shows.
    """
    kind, name = Kind.of(manifest), manifest["metadata"]["name"]
    live = client.find(kind, name)
    if live is None:
        return client.create({**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [OWNER]}})
    return client.update(merge_metadata(manifest, live))


def withdraw_work(client: RuledClient, manifest: Object) -> None:
    """Remove the work: the object stays, without its owner."""
    kind, name = Kind.of(manifest), manifest["metadata"]["name"]
    live = client.get(kind, name)
    owners = [owner for owner in live["metadata"].get("ownerReferences") or () if owner["uid"] != OWNER["uid"]]
    try:
        client.update({**live, "metadata": {**live["metadata"], "ownerReferences": owners}})
    except errors.Conflict:
        withdraw_work(client, manifest)


def merge_metadata(manifest: Object, live: Object) -> Object:
    """The object to store: everything of the manifest, in the metadata of what is live."""
    metadata = copy.deepcopy(live["metadata"])
    for key in ("labels", "annotations"):
        metadata[key] = {**(metadata.get(key) or {}), **(manifest["metadata"].get(key) or {})}
    owners = [owner for owner in metadata.get("ownerReferences") or () if owner["uid"] != OWNER["uid"]]
    metadata["ownerReferences"] = [*owners, OWNER]
    return {**copy.deepcopy(manifest), "metadata": metadata}


def feedback_path(action: str, field: str = "status") -> str:
    """The JSONPath that the hub asks for."""
    return f'.status.conditions[?(@.type=="{ACTIONS[action][1]}")].{field}'


def read_feedback(obj: Object, path: str) -> str | None:
    """What a JSONPath of fields and equality filters finds; None for nothing, or for a path that is none."""
    found: list[Any] = [obj]
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        if step["field"]:
            found = [item[step["field"]] for item in found if isinstance(item, dict) and step["field"] in item]
        else:
            items = [item for value in found if isinstance(value, list) for item in value]
            found = [item for item in items if isinstance(item, dict) and item.get(step["key"]) == step["value"]]
        position = step.end()
    return str(found[0]) if len(found) == 1 else None


def is_done(obj: Object, action: str) -> bool:
    """Whether the hub counts the action as done."""
    return read_feedback(obj, feedback_path(action)) == "True"
