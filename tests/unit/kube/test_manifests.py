"""Manifests in ConfigMaps: what is read as what, and every kind of bad input (prep.md 4.4.1)."""

import json
import time
from typing import Any

import pytest

from agent.kube.manifests import decode_config_map, decode_documents
from agent.kube.yaml_events import DocumentError, parse_document


def decode(text: str) -> tuple[list[Any], list[str]]:
    items = list(decode_documents(text))
    return [i for i in items if not isinstance(i, DocumentError)], [
        str(i) for i in items if isinstance(i, DocumentError)
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("On", True),
        ("NO", False),
        ('"y"', "y"),
        ("~", None),
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("089", 89.0),
        ("1_000", 1000),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("!!str 5", "5"),
        ("|\n  5\n", "5\n"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("{1: a, y: b, ~: c}", {"1": "a", "true": "b", "null": "c"}),
        ("{a: &x {b: 1, c: 2}, d: {<<: *x, b: 3}}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("# only a comment\n", None),
    ],
)
def test_parse_document_reads_kubernetes_yaml(text: str, value: Any) -> None:
    assert parse_document(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", 'mapping key "a" already defined'),
        ("a: &a [*a]", "unknown or recursive anchor 'a' referenced"),
        ("[" * 1_000_000, "nested deeper than 100 levels"),
        ("a: !!python/name:os.system", "unsupported tag"),
        ("? [a]\n: b", "a mapping key must be a scalar"),
        ("{<<: 3}", "map merge requires map"),
        ("a: \x00", "unacceptable character"),
        ("a: b: c", "line 1: mapping values are not allowed in this context"),
    ],
)
def test_parse_document_bad_input_is_a_clear_error(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_document(text)
    assert problem in str(raised.value)


def test_parse_document_alias_bomb_is_refused_quickly() -> None:
    levels = [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(20)]
    began = time.monotonic()
    with pytest.raises(DocumentError, match="excessive aliasing"):
        parse_document("a: &a [x,x,x]\n" + "\n".join(levels))
    assert time.monotonic() - began < 1


def test_decode_documents_reads_on_after_a_broken_yaml_document() -> None:
    objects, problems = decode("apiVersion: v1\nkind: A\n---\na: b: c\n--- # note\napiVersion: v1\nkind: B\n---\n")
    assert [o["kind"] for o in objects] == ["A", "B"]
    assert problems == [
        "error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context",
    ]


def test_decode_documents_separator_with_text_is_an_error() -> None:
    objects, problems = decode("---\napiVersion: v1\nkind: A\n---x\napiVersion: v1\nkind: B\n")
    assert ([o["kind"] for o in objects], problems) == (["A", "B"], ["invalid Yaml document separator: x"])


@pytest.mark.parametrize("text", ["", "\n\n", "# comment\n", "---\n---\n# c\n---\n"])
def test_decode_documents_without_content_yields_nothing(text: str) -> None:
    assert decode(text) == ([], [])


def test_decode_documents_json_stream_ends_at_the_first_error() -> None:
    objects, problems = decode(
        '{"apiVersion": "v1", "kind": "A"}\n{"apiVersion": "v1", "kind": "B"} rest {"kind": "C"}'
    )
    assert [o["kind"] for o in objects] == ["A", "B"]
    assert len(problems) == 1


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a":' * 100_000, "{" * 1_000_000])
def test_decode_documents_bad_json_is_one_problem(text: str) -> None:
    objects, problems = decode(text)
    assert (objects, len(problems)) == ([], 1)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            "apiVersion: v1\nmetadata: {name: x}",
            'Object \'Kind\' is missing in \'{"apiVersion":"v1","metadata":{"name":"x"}}\'',
        ),
        ("kind: A", "Object 'apiVersion' is missing in '{\"kind\":\"A\"}'"),
        ("apiVersion: v1\nkind: 5", "kind must be a string: quote 5"),
        ("- 1", "a document must be an object, not a list"),
        ("text", "a document must be an object, not a text"),
        ("apiVersion: v1\nkind: A\nmetadata: x", "metadata must be an object"),
    ],
)
def test_decode_documents_without_identity_is_a_problem(document: str, problem: str) -> None:
    [text] = decode(document)[1]
    assert text.startswith(f"error unmarshaling JSON: while decoding JSON: {problem}")


def test_decode_documents_problem_never_shows_data() -> None:
    secret = {"apiVersion": "v1", "stringData": {"password": "hunter2"}, "metadata": {"annotations": {"a": "hunter2"}}}
    [text] = decode(json.dumps(secret))[1]
    assert "hunter2" not in text
    assert '"stringData":"..."' in text


def test_decode_config_map_names_key_and_config_map() -> None:
    config_map = {
        "metadata": {"name": "em"},
        "data": {
            "good.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a, uid: u, resourceVersion: '1'}",
            "bad": "[]",
        },
        "binaryData": {"x": "AAEC"},
    }
    decoded = decode_config_map(config_map)
    assert decoded.objects == [{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}]
    assert [p.partition(": ")[0] for p in decoded.problems] == ["failed to decode bad in the configMap em"]


def test_decode_documents_ten_thousand_take_seconds_not_minutes() -> None:
    text = "---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a{i}\n" for i in range(10_000))
    began = time.monotonic()
    assert len(decode(text)[0]) == 10_000
    assert time.monotonic() - began < 30
