"""Manifests that ACM policies carry for the target release (prep.md 4.5; also exported before the pivot)."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent.ibu.prep.version import list_policy_versions
from agent.kube import Kind

Object = dict[str, Any]

POLICY = Kind("policy.open-cluster-management.io", "v1", "Policy")
VERSION_LABEL = "lca.openshift.io/target-ocp-version"
COUNT_ANNOTATION = "lca.openshift.io/target-ocp-version-manifest-count"
WAVE_ANNOTATION = "ran.openshift.io/ztp-deploy-wave"
APPLY_TYPE_ANNOTATION = "lca.openshift.io/apply-type"

_APPLY_TYPES = {"musthave": "merge", "mustonlyhave": "replace"}
_INTEGER = re.compile(r"[+-]?[0-9]+")


class PolicyError(ValueError):
    """A policy can not be read; the message names the policy and what is wrong with it."""


def extract_manifests(policies: Iterable[Mapping[str, Any]], seed_version: str) -> list[list[Object]]:
    """Return the labelled manifests of the bound policies, one group per policy in wave order.

    Each manifest carries the apply-type annotation that its compliance type means, and an empty status.
    Raises PolicyError and VersionError.
    """
    accepted = set(list_policy_versions(seed_version))
    bound = sorted((policy for policy in policies if _is_bound(policy)), key=_order)
    groups = ([_prepare(*found) for found in _find_labelled(policy, accepted)] for policy in bound)
    return [group for group in groups if group]


def check_count(found: int, expected: str | None) -> str | None:
    """Return the text for a count that differs from the annotation (compared as text), or None."""
    if expected is None or str(found) == expected:
        return None
    return (
        f"The labeled manifests count found in policies {found} does not match the expected manifests count {expected}"
    )


def _is_bound(policy: Mapping[str, Any]) -> bool:
    """Tell whether the policy is an inform child policy made for this cluster by the ZTP pipeline."""
    metadata = policy.get("metadata", {})
    enforced = str(policy.get("spec", {}).get("remediationAction", "")).lower() == "enforce"
    return not enforced and WAVE_ANNOTATION in (metadata.get("annotations") or {}) and "." in metadata.get("name", "")


def _order(policy: Mapping[str, Any]) -> tuple[int, str]:
    wave = policy["metadata"]["annotations"][WAVE_ANNOTATION]
    return (int(wave) if _INTEGER.fullmatch(wave) else 0), policy["metadata"]["name"]


def _find_labelled(policy: Mapping[str, Any], accepted: set[str]) -> Iterator[tuple[Object, str]]:
    """Yield (manifest, apply type) of every object template whose manifest is labelled for an accepted version."""
    name = policy["metadata"]["name"]
    spec = policy.get("spec") or {}
    if spec.get("disabled"):
        return
    for template in _mappings(spec.get("policy-templates"), name, "ConfigurationPolicy"):
        definition = template.get("objectDefinition") or {}
        for item in _mappings((definition.get("spec") or {}).get("object-templates"), name, "ObjectTemplate"):
            compliance = str(item.get("complianceType", ""))
            if compliance.lower() == "mustnothave":
                continue
            manifest = item.get("objectDefinition")
            if not isinstance(manifest, dict):
                raise PolicyError(f"failed to unmarshal ObjectTemplate: policy {name} has one without objectDefinition")
            if _read_label(manifest, name) not in accepted:
                continue
            if compliance.lower() not in _APPLY_TYPES:
                raise PolicyError(f"unsupported compliance type: {compliance}")
            yield manifest, _APPLY_TYPES[compliance.lower()]


def _mappings(value: object, policy: str, what: str) -> Sequence[Mapping[str, Any]]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PolicyError(f"failed to unmarshal {what}: policy {policy} holds no list of objects there")
    return value


def _read_label(manifest: Object, policy: str) -> str | None:
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    value = labels.get(VERSION_LABEL)
    if value is not None and not isinstance(value, str):
        raise PolicyError(
            f"label {VERSION_LABEL} of {manifest.get('kind')} {manifest['metadata'].get('name')} in policy {policy} "
            f"is not a string: quote the value {value}"
        )
    return value


def _prepare(manifest: Object, apply_type: str) -> Object:
    result = copy.deepcopy(manifest)
    metadata = result.setdefault("metadata", {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), APPLY_TYPE_ANNOTATION: apply_type}
    result["status"] = {}
    return result
