"""Exports the manifests that are applied after the pivot: from policies, then from ConfigMaps (upgrade-and-oadp.md 8).

What the user has to mend ends the stage: the sources are read again in every pass, so a fault that Prep did not see
was made since.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.ibu.itineraries import StageContext
from agent.ibu.manifests.config_maps import find_fault, read_extra_manifests
from agent.ibu.manifests.policies import COUNT_ANNOTATION, POLICY, PolicyError, check_count, extract_manifests
from agent.ibu.prep.version import VersionError
from agent.ibu.prepivot.target import locate, repeated
from agent.kube import Object
from agent.kube.manifests import ApplyError, WaveError, group_by_wave, read_apply_type
from agent.workflow.outcome import Done, Failed, Outcome
from seeds.handover import EXTRA_MANIFESTS, POLICY_MANIFESTS, remove_tree, write_groups

GROUP = "group"


class UnusableError(Exception):
    """The manifests can not be used as they are; the text is the whole message."""


def export_manifests(context: StageContext) -> Outcome:
    """Write both trees; an absent source leaves none."""
    try:
        with repeated("error while exporting manifests"):
            policy_groups = read_policy_groups(context)
            extra_groups = read_extra_groups(context)
            _write(context, POLICY_MANIFESTS, policy_groups)
            _write(context, EXTRA_MANIFESTS, extra_groups)
    except UnusableError as error:
        return Failed(str(error))
    return Done()


def read_policy_groups(context: StageContext) -> Sequence[Sequence[Object]]:
    """Return the labelled manifests of the cluster's policies, by policy; none where no hub manages the cluster.

    Raises UnusableError, ApiError.
    """
    client = context.ports.client
    if not client.serves(POLICY):
        return []
    prefix = "failed to export manifests from policies: failed to validate and extract manifests from policies: "
    version = context.cr.spec.seed_image_ref.version if context.cr.spec.seed_image_ref else ""
    try:
        groups = extract_manifests(client.list(POLICY), version)
    except VersionError as error:
        raise UnusableError(f"{prefix}failed to parse target ocp version {version}: {error}") from error
    except PolicyError as error:
        raise UnusableError(f"{prefix}{error}") from error
    expected = context.cr.metadata.annotations.get(COUNT_ANNOTATION)
    if problem := check_count(sum(len(group) for group in groups), expected):
        raise UnusableError(f"{prefix}{problem}")
    return groups


def read_extra_groups(context: StageContext) -> Sequence[Sequence[Object]]:
    """Return the user's manifests, by wave. Raises UnusableError with all problems, ApiError."""
    prefix = "failed to export manifests from configmaps: "
    found = read_extra_manifests(context.ports.client, context.cr.spec.extra_manifests)
    problems = list(found.unavailable)
    if found.undecodable:
        problems.append(f"failed to extract manifests from configMap: {'; '.join(found.undecodable)}")
    problems += [problem for manifest in found.objects if (problem := _find_fault(manifest))]
    try:
        groups = group_by_wave(found.objects)
    except WaveError as error:
        problems.append(f"failed to sort and group manifests: {error}")
    if problems:
        raise UnusableError(f"{prefix}{'; '.join(problems)}")
    return groups


def name_file(manifest: Object) -> str:
    """Return the name of a manifest's file, without number and ending."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']}_{metadata['name']}_{metadata.get('namespace') or ''}"


def _find_fault(manifest: Object) -> str | None:
    try:
        read_apply_type(manifest)
    except ApplyError as error:
        return str(error)
    return find_fault(manifest)


def _write(context: StageContext, place: str, groups: Sequence[Sequence[Object]]) -> None:
    if groups:
        write_groups(locate(context, place), GROUP, groups, name_file)
    else:
        remove_tree(locate(context, place))
