"""A small policy engine for tests: what the stock fleet policies expect, and what enforcing them does (pure).

Rules of the configuration policy controller, as far as the policies of an image-based upgrade use them
(seed-image-and-gitops.md G):
`musthave` finds the template in the object: mappings as subsets, each item of a list in an item of its own, in any
order; `mustonlyhave` compares whole top-level keys; of `metadata` only the labels and annotations that a template names
count. Enforcing never writes a status.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.kube.manifests.merge import merge_manifest

Object = dict[str, Any]
_IDENTITY = ("apiVersion", "kind", "metadata", "status")


class ComplianceType(StrEnum):
    """How an object is compared with its template."""

    MUST_HAVE = "musthave"
    MUST_ONLY_HAVE = "mustonlyhave"


@dataclass(frozen=True)
class Template:
    """One object template of a policy."""

    compliance_type: ComplianceType
    body: Object

    def matches(self, live: Object | None) -> bool:
        """Whether the object is as the template says; one that does not exist never is."""
        if live is None or not _matches_metadata(self.body.get("metadata") or {}, live.get("metadata") or {}):
            return False
        compare = is_subset if self.compliance_type is ComplianceType.MUST_HAVE else is_equal
        return all(key in live and compare(value, live[key]) for key, value in self._compared())

    def enforce(self, live: Object | None) -> Object | None:
        """Return the object to store, or None when nothing is to be written."""
        wanted: Object = {"metadata": {}, **copy.deepcopy(live or {})}
        for key in ("apiVersion", "kind"):
            wanted[key] = self.body[key]
        for key, value in (self.body.get("metadata") or {}).items():
            merged = {**(wanted["metadata"].get(key) or {}), **value} if isinstance(value, Mapping) else value
            wanted["metadata"][key] = merged
        for key, value in self.body.items():
            if key not in _IDENTITY:
                replaced = self.compliance_type is ComplianceType.MUST_ONLY_HAVE or key not in wanted
                merged = {key: value} if replaced else merge_manifest({key: value}, {key: wanted[key]})
                wanted.update(copy.deepcopy(merged))
        return None if wanted == live else wanted

    def _compared(self) -> Iterable[tuple[str, Any]]:
        return ((key, value) for key, value in self.body.items() if key not in ("apiVersion", "kind", "metadata"))


@dataclass(frozen=True)
class Policy:
    """A policy with one or more object templates; compliant when all of them match."""

    name: str
    templates: Sequence[Template]

    @classmethod
    def read(cls, policy: Object) -> Policy:
        """Read a Policy object of the hub or of a spoke."""
        templates = [
            Template(ComplianceType(item["complianceType"].lower()), item["objectDefinition"])
            for template in policy["spec"]["policy-templates"]
            for item in template["objectDefinition"]["spec"]["object-templates"]
        ]
        return cls(policy["metadata"]["name"], templates)

    def is_compliant(self, live: Object | None) -> bool:
        """Whether one object, of the kind and name of all templates, is as the policy says."""
        return all(template.matches(live) for template in self.templates)


def is_subset(template: Any, live: Any) -> bool:
    """Whether `live` holds all of `template`."""
    if isinstance(template, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and is_subset(value, live[key]) for key, value in template.items()
        )
    if isinstance(template, list):
        return isinstance(live, list) and _match_items(template, live, is_subset)
    return _is_same_scalar(template, live)


def is_equal(template: Any, live: Any) -> bool:
    """Whether both hold the same; the order of lists does not count."""
    if isinstance(template, Mapping):
        return (
            isinstance(live, Mapping)
            and template.keys() == live.keys()
            and all(is_equal(value, live[key]) for key, value in template.items())
        )
    if isinstance(template, list):
        return isinstance(live, list) and len(template) == len(live) and _match_items(template, live, is_equal)
    return _is_same_scalar(template, live)


def _match_items(template: Sequence[Any], live: Sequence[Any], compare: Any) -> bool:
    """Whether every item of the template finds an item of its own; tries all ways, as the lists are short."""
    if not template:
        return True
    first, rest = template[0], template[1:]
    return any(
        compare(first, item) and _match_items(rest, [*live[:index], *live[index + 1 :]], compare)
        for index, item in enumerate(live)
    )


def _is_same_scalar(template: object, live: object) -> bool:
    return type(template) is type(live) and template == live


def _matches_metadata(template: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    return all(
        is_subset(value, live.get(key) or {}) if key in ("labels", "annotations") else value == live.get(key)
        for key, value in template.items()
    )
