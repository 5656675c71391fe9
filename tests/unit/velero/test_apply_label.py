"""The apply-label grammar of upgrade-and-oadp.md 6.2."""

import pytest

from agent.velero.apply_label import ApplyLabelError, LabelTarget, parse_apply_label


@pytest.mark.parametrize(
    ("item", "target", "path"),
    [
        ("v1/namespaces/test", LabelTarget("", "v1", "namespaces", "", "test"), "/api/v1/namespaces/test"),
        (
            "v1/secrets/ns/a:b",
            LabelTarget("", "v1", "secrets", "ns", "a:b"),
            "/api/v1/namespaces/ns/secrets/a:b",
        ),
        (
            "rbac.authorization.k8s.io/v1/clusterroles/x",
            LabelTarget("rbac.authorization.k8s.io", "v1", "clusterroles", "", "x"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/x",
        ),
        (
            "apps/v1/deployments/ns/d",
            LabelTarget("apps", "v1", "deployments", "ns", "d"),
            "/apis/apps/v1/namespaces/ns/deployments/d",
        ),
    ],
    ids=["3-parts", "4-parts-core", "4-parts-group", "5-parts"],
)
def test_parse_apply_label_reads_each_form(item: str, target: LabelTarget, path: str) -> None:
    assert parse_apply_label(item) == [target]
    assert target.path == path


def test_parse_apply_label_drops_repeats_and_blanks_around_items() -> None:
    assert len(parse_apply_label("v1/namespaces/a, v1/namespaces/b,v1/namespaces/a")) == 2


def test_parse_apply_label_empty_value_names_nothing() -> None:
    assert parse_apply_label("") == []


@pytest.mark.parametrize(
    ("value", "item"), [("v1/x", "v1/x"), ("v1/namespaces/a,", ""), ("a/b/c/d/e/f", "a/b/c/d/e/f")]
)
def test_parse_apply_label_malformed_item_is_named(value: str, item: str) -> None:
    with pytest.raises(ApplyLabelError, match=f"^invalid apply-label obj in annotation value: {item}$"):
        parse_apply_label(value)
