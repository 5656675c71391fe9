"""Merging manifests (prep.md 4.4.4): the rows of the two specified tables, and what holds for all inputs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.kube.manifests import merge_manifest
from agent.kube.manifests.quantity import parse_quantity

CONTAINERS = [{"name": "side", "image": "s"}, {"name": "web", "image": "old", "ports": [80]}]
MERGED_CONTAINERS = [{"name": "web", "image": "new", "ports": [80]}, {"name": "side", "image": "s"}]

ROWS = {
    "prep-row1": ({"a": 1, "l": ["x", "z"]}, {"a": 2, "b": 3, "l": ["z", "w"]}, {"a": 1, "b": 3, "l": ["x", "z", "w"]}),
    "prep-row2": ({"c": [{"name": "web", "image": "new"}]}, {"c": CONTAINERS}, {"c": MERGED_CONTAINERS}),
    "prep-row3": (
        {"r": [{"k": "a"}]},
        {"r": [{"k": "a", "x": 1}, {"k": "b"}]},
        {"r": [{"k": "a", "x": 1}, {"k": "b"}]},
    ),
    "prep-row4a": ({"l": ["a"]}, {"l": ["a", "a", "b"]}, {"l": ["a", "a", "b"]}),
    "prep-row4b": ({"l": ["a", "a"]}, {"l": ["a"]}, {"l": ["a", "a"]}),
    "prep-row4c": ({"l": []}, {"l": ["a"]}, {"l": ["a"]}),
    "prep-row5": ({"m": None, "s": None}, {"m": {"a": 1}, "s": "x"}, {"m": {"a": 1}, "s": None}),
    "upgrade-1": ({"l": ["c"]}, {"l": ["b", "a"]}, {"l": ["c", "b", "a"]}),
    "upgrade-2": (
        {"l": [{"name": "x", "v": 1}]},
        {"l": [{"name": "x", "v": 2, "w": 3}, {"name": "y"}]},
        {"l": [{"name": "x", "v": 1, "w": 3}, {"name": "y"}]},
    ),
    "upgrade-4": ({"l": ["a"]}, {"l": ["a", "a"]}, {"l": ["a", "a"]}),
    "upgrade-5-quantity": ({"l": [{"k": "1Gi"}]}, {"l": [{"k": "1024Mi", "z": 1}]}, {"l": [{"k": "1Gi", "z": 1}]}),
    "map-over-scalar": ({"a": {"b": 1}}, {"a": 1}, {"a": {"b": 1}}),
    "list-over-scalar": ({"a": [1]}, {"a": 1}, {"a": [1]}),
    "list-over-empty": ({"a": [1]}, {"a": []}, {"a": [1]}),
    "scalar-over-map": ({"a": 1}, {"a": {"b": 1}}, {"a": 1}),
    "large-numbers-are-numbers": (
        {"l": [10_000_000]},
        {"l": [10_000_000, 20_000_000]},
        {"l": [10_000_000, 20_000_000]},
    ),
    "nested-lists-in-any-order": (
        {"l": [{"v": ["b", "a"]}]},
        {"l": [{"v": ["a", "b"], "x": 1}]},
        {"l": [{"v": ["b", "a"], "x": 1}]},
    ),
    "left-out-is-zero": ({"l": [{"k": "a", "n": 0}]}, {"l": [{"k": "a"}]}, {"l": [{"k": "a", "n": 0}]}),
    "left-out-is-not-an-empty-text": (
        {"l": [{"k": "a", "t": ""}]},
        {"l": [{"k": "a"}]},
        {"l": [{"k": "a", "t": ""}, {"k": "a"}]},
    ),
    "empty-names-do-not-match": ({"l": [{"name": "", "v": 1}]}, {"l": [{"name": "", "v": 2}]}, None),
    "true-is-not-one": ({"l": [1]}, {"l": [True]}, {"l": [1, True]}),
}


@pytest.mark.parametrize(("manifest", "existing", "expected"), ROWS.values(), ids=ROWS)
def test_merge(manifest: Any, existing: Any, expected: Any) -> None:
    expected = expected or {"l": manifest["l"] + existing["l"]}
    assert merge_manifest(manifest, existing) == expected
    assert repr(merge_manifest(manifest, existing)["l"] if "l" in expected else "") == repr(expected.get("l", ""))


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "1", "100m", "0.1", "1Gi"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "k", "v"]), inner, max_size=3),
    max_leaves=12,
)
DISTINCT = st.recursive(  # without zero values and quantities, which equal what is written differently
    st.integers(1, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.sampled_from("nkv"), inner, min_size=1),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_merge_changes_neither_input(manifest: Any, existing: Any) -> None:
    before = copy.deepcopy((manifest, existing))
    merged = merge_manifest(manifest, existing)
    merged.setdefault("new", []).append(1)
    assert (manifest, existing) == before


@given(st.dictionaries(st.sampled_from("abc"), DISTINCT))
def test_merge_into_nothing_or_into_itself_is_the_manifest(manifest: Any) -> None:
    assert merge_manifest(manifest, {}) == manifest
    assert merge_manifest(manifest, manifest) == manifest


@given(OBJECTS, OBJECTS)
def test_merge_keeps_every_key_of_both(manifest: Any, existing: Any) -> None:
    assert set(merge_manifest(manifest, existing)) == set(manifest) | set(existing)


@given(st.dictionaries(st.sampled_from("abc"), DISTINCT), st.dictionaries(st.sampled_from("abc"), DISTINCT))
def test_merging_again_changes_at_most_the_order(manifest: Any, existing: Any) -> None:
    once = merge_manifest(manifest, existing)
    assert in_order(merge_manifest(manifest, once)) == in_order(once)


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, in_order(item)) for key, item in value.items())
    return sorted(map(in_order, value), key=repr) if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("one", "other"),
    [("100m", "0.1"), ("1Gi", "1024Mi"), ("1", "1000m"), ("1e3", "1k"), ("1E3", "1000"), ("+1.", "1"), (".5", "500m")],
)
def test_equal_quantities_are_equal(one: str, other: str) -> None:
    assert parse_quantity(one) == parse_quantity(other) is not None


@pytest.mark.parametrize("text", ["", "a", "1 ", "1kk", "1K1", "\u0661", "1e", "--1", ".", "1e9999", "1_000"])
def test_other_texts_are_no_quantities(text: str) -> None:
    assert parse_quantity(text) is None
