"""Applying one manifest: create it, replace what exists, or merge into it (prep.md 4.4.4)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent.kube.client import Client
from agent.kube.errors import AlreadyExists, ApiError, Conflict
from agent.kube.kind import Kind, Object
from agent.kube.manifests.merge import merge_manifest

APPLY_TYPE_ANNOTATION = "lca.openshift.io/apply-type"

_TRIES = 3


class ApplyError(Exception):
    """A manifest could not be applied; `cause` is what the API server said, None when the manifest itself is wrong."""

    def __init__(self, message: str, cause: ApiError | None = None) -> None:
        super().__init__(message)
        self.cause = cause


def apply_manifest(client: Client, manifest: Object, *, dry_run: bool = False) -> Object:
    """Bring a manifest to the API server and return the object as it is (with `dry_run`: would be) there.

    The annotation `lca.openshift.io/apply-type` decides what happens to an object that exists: `replace` (default)
    makes it what the manifest says, `merge` changes only what the manifest says. The annotation itself is never
    stored. A namespaced object without namespace goes to `default`. Raises ApplyError with the documented texts.
    """
    for _ in range(_TRIES - 1):
        try:
            return _apply_once(client, manifest, dry_run)
        except ApplyError as error:
            if not isinstance(error.cause, (AlreadyExists, Conflict)):
                raise
    return _apply_once(client, manifest, dry_run)  # somebody else was faster every time


def read_apply_type(manifest: Object) -> str:
    """Return `replace` or `merge`. Raises ApplyError for any other value of the annotation."""
    apply_type = _get_annotations(manifest).get(APPLY_TYPE_ANNOTATION, "replace")
    if apply_type not in ("replace", "merge"):
        raise ApplyError(
            f"manifest {manifest.get('kind')} called {(manifest.get('metadata') or {}).get('name')}: "
            f"annotation {APPLY_TYPE_ANNOTATION} is {apply_type!r}; use replace or merge"
        )
    return str(apply_type)


def _apply_once(client: Client, manifest: Object, dry_run: bool) -> Object:
    kind, wanted = Kind.of(manifest), copy.deepcopy(manifest)
    metadata = wanted.setdefault("metadata", {})
    name = metadata.get("name")
    what = f"manifest {kind.kind} called {name}"
    apply_type = read_apply_type(manifest)
    _get_annotations(wanted).pop(APPLY_TYPE_ANNOTATION, None)
    for key in ("uid", "resourceVersion"):
        metadata.pop(key, None)
    with _failing_to("get RESTMapping"):
        if client.resource(kind).namespaced and not metadata.get("namespace"):
            metadata["namespace"] = "default"
    with _failing_to(f"get {what}"):
        existing = client.find(kind, name, metadata.get("namespace"))
    if existing is None:
        with _failing_to(f"create {what}"):
            return client.create(wanted, dry_run=dry_run)
    if apply_type == "merge":
        wanted = merge_manifest(wanted, existing)
    wanted["metadata"]["resourceVersion"] = existing["metadata"]["resourceVersion"]
    with _failing_to(f"{'update' if apply_type == 'merge' else 'replace'} {what}"):
        return client.update(wanted, dry_run=dry_run)


def _get_annotations(manifest: Object) -> dict[str, Any]:
    """The annotations themselves; what is no map of them is left to the server to refuse."""
    annotations = (manifest.get("metadata") or {}).get("annotations")
    return annotations if isinstance(annotations, dict) else {}


@contextmanager
def _failing_to(step: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise ApplyError(f"failed to {step}: {error}", error) from error
