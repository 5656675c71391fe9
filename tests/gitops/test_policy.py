"""The policy engine of these tests itself: match rules, and what enforcing writes."""

from typing import Any

import pytest

from tests.gitops.policy import ComplianceType, Policy, Template, is_equal, is_subset

HAVE, ONLY = ComplianceType.MUST_HAVE, ComplianceType.MUST_ONLY_HAVE
CONDITION = {"type": "Idle", "status": "True", "reason": "Idle", "message": "Idle"}


def make_template(compliance_type: ComplianceType, **body: Any) -> Template:
    return Template(compliance_type, {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, **body})


def make_live(**body: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "uid": "u"}, **body}


@pytest.mark.parametrize(
    ("template", "live", "matches"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="more-keys"),
        pytest.param({"a": 1}, {"b": 2}, False, id="missing-key"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True, id="nested"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, False, id="nested-value"),
        pytest.param([1, 2], [2, 3, 1], True, id="list-any-order"),
        pytest.param([1, 1], [1, 2], False, id="each-item-its-own"),
        pytest.param([{"a": 1}], [{"a": 1, "b": 2}, {"c": 3}], True, id="list-of-subsets"),
        pytest.param([{"a": 1, "b": 2}], [{"a": 1}, {"b": 2}], False, id="not-spread-over-items"),
        pytest.param([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1}], True, id="best-assignment"),
        pytest.param("True", True, False, id="text-is-no-truth-value"),
        pytest.param(1, True, False, id="number-is-no-truth-value"),
        pytest.param({}, None, False, id="nothing"),
    ],
)
def test_is_subset(template: object, live: object, matches: bool) -> None:
    assert is_subset(template, live) is matches


@pytest.mark.parametrize(
    ("template", "live", "matches"),
    [
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, True, id="order-of-lists"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="more-keys"),
        pytest.param({"a": 1}, {"a": 1, "b": {}}, False, id="empty-value-counts"),
        pytest.param([1], [1, 1], False, id="longer-list"),
    ],
)
def test_is_equal(template: object, live: object, matches: bool) -> None:
    assert is_equal(template, live) is matches


@pytest.mark.parametrize("compliance_type", [HAVE, ONLY])
def test_matches_absent_object_never(compliance_type: ComplianceType) -> None:
    assert not make_template(compliance_type).matches(None)


def test_matches_condition_needs_all_fields_in_one_item() -> None:
    template = make_template(HAVE, status={"conditions": [{"type": "Idle", "status": "True", "reason": "Idle"}]})
    assert template.matches(make_live(status={"conditions": [{"type": "Other"}, CONDITION]}))
    torn = [{**CONDITION, "status": "False"}, {**CONDITION, "type": "Other"}]
    assert not template.matches(make_live(status={"conditions": torn}))
    assert not template.matches(make_live())


def test_matches_must_only_have_compares_named_top_level_keys_only() -> None:
    template = make_template(ONLY, spec={"stage": "Idle"})
    assert template.matches(make_live(spec={"stage": "Idle"}, status={"x": 1}))
    assert not template.matches(make_live(spec={"stage": "Idle", "seedImageRef": {}}))


def test_matches_metadata_only_what_the_template_names() -> None:
    template = Template(HAVE, {"kind": "K", "metadata": {"name": "n", "labels": {"a": "1"}}})
    assert template.matches({"metadata": {"name": "n", "labels": {"a": "1", "b": "2"}, "annotations": {"c": "3"}}})
    assert not template.matches({"metadata": {"name": "n", "labels": {"a": "2"}}})
    assert not template.matches({"metadata": {"name": "other", "labels": {"a": "1"}}})


def test_enforce_must_have_merges_and_writes_no_status() -> None:
    template = make_template(HAVE, spec={"stage": "Prep", "l": [{"name": "a"}]}, status={"conditions": [CONDITION]})
    wanted = template.enforce(make_live(spec={"stage": "Idle", "kept": 1, "l": [{"name": "b"}]}, status={"x": 1}))
    assert wanted is not None
    assert wanted["spec"] == {"stage": "Prep", "kept": 1, "l": [{"name": "a"}, {"name": "b"}]}
    assert wanted["status"] == {"x": 1}


def test_enforce_must_only_have_replaces_the_key() -> None:
    wanted = make_template(ONLY, spec={"stage": "Idle"}).enforce(make_live(spec={"stage": "Prep", "gone": 1}))
    assert wanted is not None
    assert wanted["spec"] == {"stage": "Idle"}
    assert wanted["metadata"]["uid"] == "u"


def test_enforce_creates_what_is_absent_without_status() -> None:
    template = make_template(HAVE, spec={"stage": "Prep"}, status={"conditions": [CONDITION]})
    assert template.enforce(None) == make_live(spec={"stage": "Prep"}) | {"metadata": {"name": "n"}}


def test_enforce_writes_nothing_when_only_the_status_differs() -> None:
    template = make_template(HAVE, spec={"stage": "Idle"}, status={"conditions": [CONDITION]})
    live = make_live(spec={"stage": "Idle", "more": 1}, status={})
    assert not template.matches(live)
    assert template.enforce(live) is None


def test_policy_is_compliant_when_all_templates_match() -> None:
    policy = Policy("p", [make_template(ONLY, spec={"a": 1}), make_template(HAVE, status={"b": 2})])
    assert policy.is_compliant(make_live(spec={"a": 1}, status={"b": 2}))
    assert not policy.is_compliant(make_live(spec={"a": 1}, status={"b": 3}))
