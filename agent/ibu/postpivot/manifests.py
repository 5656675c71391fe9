"""Applying what users brought along: policies' manifests, and their own (post-pivot-and-rollback.md 9, steps 5, 6)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.postpivot.giving_up import give_up
from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import ApplyError, apply_manifest, decode_stream
from agent.workflow.outcome import Done, Outcome
from seeds.handover import EXTRA_MANIFESTS, POLICY_MANIFESTS, list_groups

log = logging.getLogger(__name__)

_CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


class ManifestError(Exception):
    """A manifest can not be applied; the text is the documented one. `hopeless`: trying again can not help."""

    def __init__(self, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


def make_applier(directory: str, cause: str) -> Callable[[StageContext], Outcome]:
    """Return a step that applies all manifests below `directory` in order, then removes them.

    What the API server will never accept ends the upgrade, for the reason `cause`.
    """

    def apply(context: StageContext) -> Outcome:
        folder = context.ports.root.resolve(directory)
        manifests = read_manifests(folder)
        if manifests:
            try:
                with context.ports.connect_admin() as admin:
                    apply_all(admin, manifests)
            except ManifestError as error:
                if not error.hopeless:
                    raise
                return give_up(context, cause, str(error))
        if folder.exists():
            shutil.rmtree(folder)
            log.info("manifests applied", extra={"directory": directory, "objects": len(manifests)})
        return Done()

    return apply


apply_policies = make_applier(POLICY_MANIFESTS, messages.ROLLBACK_DUE_TO_POLICY_MANIFESTS)
apply_configuration = make_applier(EXTRA_MANIFESTS, messages.ROLLBACK_DUE_TO_CONFIG_MANIFESTS)


def read_manifests(folder: Path) -> list[Object]:
    """Return the objects of all groups in order. Raises ManifestError and OSError."""
    objects: list[Object] = []
    for file in (file for group in list_groups(folder) for file in group):
        found, problems = decode_stream(file.read_bytes())
        if problems:
            raise ManifestError(f"failed to read manifest {file}: {'; '.join(problems)}")
        objects += found
    return objects


def apply_all(admin: Client, manifests: Sequence[Object]) -> None:
    """Apply one after the other; the first error ends it. Raises ManifestError."""
    for index, manifest in enumerate(manifests):
        try:
            apply_manifest(admin, manifest)
        except ApplyError as error:
            hopeless = is_hopeless(error, manifest, manifests[:index])
            raise ManifestError(f"failed to apply manifest: {error}", hopeless=hopeless) from error


def is_hopeless(error: ApplyError, manifest: Object, applied: Sequence[Object]) -> bool:
    """Say whether the API server will refuse the object for ever: it is wrong, or its kind is unknown.

    A kind that was brought along, as a definition, is served seconds after that was applied.
    """
    if isinstance(error.cause, errors.KindNotServed):
        return not any(_defines(definition, Kind.of(manifest)) for definition in applied)
    return error.cause is None or isinstance(error.cause, errors.Invalid | errors.BadRequest)


def _defines(definition: Object, kind: Kind) -> bool:
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    is_crd = Kind.of(definition) == _CRD
    return is_crd and (spec.get("group"), names.get("kind")) == (kind.group, kind.kind)
