"""Manifests from policies: which are taken, in which order, with which apply type (prep.md 4.5)."""

from typing import Any

import pytest

from agent.ibu.manifests.policies import APPLY_TYPE_ANNOTATION, PolicyError, check_count, extract_manifests


def make_manifest(name: str = "cm", version: Any = "4.15") -> dict[str, Any]:
    labels = {} if version is None else {"lca.openshift.io/target-ocp-version": version}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "status": {"x": 1}}


def make_policy(
    name: str = "ztp.policy",
    *,
    wave: str | None = "1",
    compliance: str = "musthave",
    manifests: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    objects = [{"complianceType": compliance, "objectDefinition": m} for m in manifests or [make_manifest()]]
    return {
        "metadata": {"name": name, "annotations": {} if wave is None else {"ran.openshift.io/ztp-deploy-wave": wave}},
        "spec": {"policy-templates": [{"objectDefinition": {"spec": {"object-templates": objects}}}], **spec},
    }


@pytest.mark.parametrize(
    ("policy", "taken"),
    [
        pytest.param(make_policy(), 1, id="bound"),
        pytest.param(make_policy(remediationAction="Enforce"), 0, id="enforced"),
        pytest.param(make_policy(remediationAction="inform"), 1, id="inform"),
        pytest.param(make_policy(wave=None), 0, id="no-wave"),
        pytest.param(make_policy("parent"), 0, id="parent-policy"),
        pytest.param(make_policy(disabled=True), 0, id="disabled"),
        pytest.param(make_policy(compliance="mustNotHave"), 0, id="mustnothave"),
        pytest.param(make_policy(manifests=[make_manifest(version=None)]), 0, id="unlabelled"),
        pytest.param(make_policy(manifests=[make_manifest(version="4.16")]), 0, id="other-version"),
        pytest.param(make_policy(manifests=[make_manifest(version="4.15.2")]), 1, id="patch-version"),
    ],
)
def test_extract_manifests_takes_only_bound_labelled_ones(policy: dict[str, Any], taken: int) -> None:
    assert sum(len(group) for group in extract_manifests([policy], "4.15.2")) == taken


def test_extract_manifests_groups_policies_by_wave_then_name() -> None:
    policies = [
        make_policy("z.b", wave="10", manifests=[make_manifest("last")]),
        make_policy("z.c", wave="2", manifests=[make_manifest("third")]),
        make_policy("z.a", wave="2", manifests=[make_manifest("second")]),
        make_policy("z.d", wave="not-a-number", manifests=[make_manifest("first")]),
    ]
    names = [[m["metadata"]["name"] for m in group] for group in extract_manifests(policies, "4.15.2")]
    assert names == [["first"], ["second"], ["third"], ["last"]]


@pytest.mark.parametrize(("compliance", "apply_type"), [("MustHave", "merge"), ("mustonlyhave", "replace")])
def test_extract_manifests_sets_apply_type_even_without_annotations(compliance: str, apply_type: str) -> None:
    [[manifest]] = extract_manifests([make_policy(compliance=compliance)], "4.15.2")
    assert manifest["metadata"]["annotations"] == {APPLY_TYPE_ANNOTATION: apply_type}
    assert manifest["status"] == {}


def test_extract_manifests_unknown_compliance_type_is_refused() -> None:
    with pytest.raises(PolicyError, match="^unsupported compliance type: maybe$"):
        extract_manifests([make_policy(compliance="maybe")], "4.15.2")


def test_extract_manifests_unquoted_version_label_names_the_object() -> None:
    with pytest.raises(PolicyError, match=r"ConfigMap cm in policy ztp.policy is not a string: quote the value 4.15"):
        extract_manifests([make_policy(manifests=[make_manifest(version=4.15)])], "4.15.2")


def test_extract_manifests_malformed_template_names_the_policy() -> None:
    policy = make_policy()
    policy["spec"]["policy-templates"] = "x"
    with pytest.raises(PolicyError, match="failed to unmarshal ConfigurationPolicy: policy ztp.policy"):
        extract_manifests([policy], "4.15.2")


@pytest.mark.parametrize(("expected", "ok"), [("5", True), ("05", False), ("", False), (None, True)])
def test_check_count_compares_as_text(expected: str | None, ok: bool) -> None:
    assert (check_count(5, expected) is None) is ok
