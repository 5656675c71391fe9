"""Checks what the user wrote: version, OADP content, extra manifests, policies (prep.md 4.1 to 4.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.ibu.itineraries import StageContext
from agent.ibu.manifests.policies import COUNT_ANNOTATION, POLICY, PolicyError, check_count, extract_manifests
from agent.ibu.prep.findings import Findings
from agent.ibu.prep.oadp_check import check_oadp_content
from agent.ibu.prep.version import VersionError, check_seed_version
from agent.kube import Client, errors
from agent.velero.content import Content
from seeds.cluster import CLUSTER_VERSION


@dataclass(slots=True)
class SpecCheck:
    """What was found, whether the version allows an upgrade at all, and the OADP content for later steps."""

    findings: Findings = field(default_factory=Findings)
    version_fits: bool = False
    content: Content = field(default_factory=lambda: Content((), ()))


def check_spec(context: StageContext, extra: Findings) -> SpecCheck:
    """Run all checks; `extra` is what the trial of the extra manifests has found. Raises transient ApiErrors."""
    client, spec, check = context.ports.client, context.cr.spec, SpecCheck()
    version = spec.seed_image_ref.version if spec.seed_image_ref else ""
    problem = _check_version(client, version)
    check.version_fits = problem is None
    if problem:
        check.findings.add("failed to validate seed image OCP version: ", [problem])
    if spec.oadp_content:
        oadp, check.content = check_oadp_content(context)
        check.findings.add("", oadp.problems)
        check.findings.warnings += oadp.warnings
    check.findings.add("failed to validate extramanifest cms: ", extra.problems)
    check.findings.warnings += extra.warnings
    count = context.cr.metadata.annotations.get(COUNT_ANNOTATION)
    if count is not None and (problem := _check_policies(client, version, count)):
        check.findings.add("failed to validate manifests from policies: ", [problem])
    return check


def _check_version(client: Client, version: str) -> str | None:
    try:
        cluster = client.get(CLUSTER_VERSION, "version")
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return f"failed to get ClusterVersion for target: {error}"
    current = ((cluster.get("status") or {}).get("desired") or {}).get("version", "")
    return check_seed_version(version, current)


def _check_policies(client: Client, version: str, expected_count: str) -> str | None:
    try:
        policies = client.list(POLICY)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return f"failed to get policies: failed to list policies: {error}"
    try:
        groups = extract_manifests(policies, version)
    except (PolicyError, VersionError) as error:
        return f"failed to extract manifests from policies: {error}"
    return check_count(sum(len(group) for group in groups), expected_count)
