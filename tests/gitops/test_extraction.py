"""Manifests that the site's own policies carry for the release: which are taken, how, and in which order.

The policies are those that a hub's generator writes and binds (upgrade-and-oadp.md 8.2); single rules are in
tests/unit/ibu/test_policies.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from agent.ibu.manifests.policies import APPLY_TYPE_ANNOTATION, check_count, extract_manifests
from agent.kube import Object
from tests.gitops.stock import bind_policy, make_policy

SITE = "sno1"
LABEL = "lca.openshift.io/target-ocp-version"


def make_template(name: str, *, label: str | None = "4.16", compliance_type: str = "musthave") -> Object:
    metadata: Object = {"name": name, "namespace": "default"}
    if label is not None:
        metadata["labels"] = {LABEL: label}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": name}}
    return {"complianceType": compliance_type, "objectDefinition": body}


def bind(name: str, *templates: Object, wave: str | None = "10", **spec: Any) -> Object:
    return bind_policy(make_policy(name, templates, **spec), SITE, wave)


def list_names(policies: list[Object], version: str = "4.16.1") -> list[list[str]]:
    return [[m["metadata"]["name"] for m in group] for group in extract_manifests(policies, version)]


def test_extract_stock_policies_of_a_site() -> None:
    """Common, group and site policies, as generated, with everything that must not be taken among them."""
    policies = [
        make_policy("group-parent", [make_template("of-the-hub")]),  # the parent, which some hub-side sites see too
        bind("site-settings", make_template("site"), wave="100"),
        bind("group-settings", make_template("group-a"), make_template("unlabelled", label=None), wave="10"),
        bind("common-settings", make_template("common", compliance_type="mustonlyhave"), wave="1"),
        bind("common-absent", make_template("gone", compliance_type="mustnothave"), wave="1"),
        bind("common-disabled", make_template("disabled"), wave="1", disabled=True),
        bind("common-enforced", make_template("enforced"), wave="1", remediationAction="enforce"),
        bind("common-no-wave", make_template("no-wave"), wave=None),
        bind("other-release", make_template("old", label="4.15"), wave="1"),
    ]
    assert list_names(policies) == [["common"], ["group-a"], ["site"]]


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("4.16.1", ["minor", "patch"]),
        ("4.16.2", ["minor"]),
        ("4.16.1-rc.2", ["minor", "patch", "candidate"]),
        ("4.17.0", []),
    ],
)
def test_extract_labels_name_minor_patch_or_whole_version(version: str, taken: list[str]) -> None:
    templates = [
        make_template(name, label=label)
        for name, label in (("minor", "4.16"), ("patch", "4.16.1"), ("candidate", "4.16.1-rc.2"), ("major", "4"))
    ]
    assert list_names([bind("releases", *templates)], version) == ([taken] if taken else [])


def test_extract_orders_by_number_of_wave_then_name() -> None:
    policies = [
        bind("b", make_template("third"), wave="10"),
        bind("a", make_template("second"), wave="10"),
        bind("z", make_template("first"), wave="2"),
        bind("c", make_template("zeroth"), wave="-1"),
    ]
    assert list_names(policies) == [["zeroth"], ["first"], ["second"], ["third"]]


@pytest.mark.parametrize(("compliance_type", "apply_type"), [("musthave", "merge"), ("MustOnlyHave", "replace")])
@pytest.mark.parametrize("annotations", [None, {"mine": "kept"}])
def test_extract_keeps_the_apply_type(compliance_type: str, apply_type: str, annotations: Object | None) -> None:
    template = make_template("cm", compliance_type=compliance_type)
    if annotations:
        template["objectDefinition"]["metadata"]["annotations"] = annotations
    policy = bind("settings", template)
    [[manifest]] = extract_manifests([policy], "4.16.1")
    assert manifest["metadata"]["annotations"] == {**(annotations or {}), APPLY_TYPE_ANNOTATION: apply_type}


def test_extract_leaves_the_policies_as_they_are() -> None:
    policy = bind("settings", make_template("cm"))
    before = repr(policy)
    extract_manifests([policy], "4.16.1")
    assert repr(policy) == before


def test_check_count_compares_what_was_taken_with_the_annotation() -> None:
    policies = [bind("settings", make_template("one"), make_template("two"), make_template("other", label="4.15"))]
    taken = sum(len(group) for group in extract_manifests(policies, "4.16.1"))
    assert check_count(taken, "2") is None
    assert check_count(taken, "3") == (
        "The labeled manifests count found in policies 2 does not match the expected manifests count 3"
    )
