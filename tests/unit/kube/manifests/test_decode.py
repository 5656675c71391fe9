"""Reading manifests from text (prep.md 4.4.1): good streams, the documented errors, and hostile input."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.kube.manifests import decode_config_map, decode_stream

A = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"
B = '{"apiVersion": "v1", "kind": "B", "metadata": {"name": "b"}}'


def kinds(text: str | bytes) -> list[str]:
    objects, problems = decode_stream(text)
    assert problems == []
    return [obj["kind"] for obj in objects]


def only_problem(text: str | bytes) -> str:
    _, problems = decode_stream(text)
    assert len(problems) == 1, problems
    return problems[0]


def read_field(yaml_text: str) -> Any:
    objects, problems = decode_stream(f"{A}x: {yaml_text}\n")
    assert problems == []
    return objects[0]["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n  \n", []),
        ("# only a comment\n", []),
        ("---\n---\n# nothing\n---\n", []),
        (A, ["A"]),
        (f"---\n{A}---", ["A"]),
        (f"# licence\n---\n{A}--- # next\n{B}\n---   \n", ["A", "B"]),
        (A.replace("\n", "\r\n") + "---\r\n" + B, ["A", "B"]),
        ("\ufeff" + A, ["A"]),
        (B, ["B"]),
        (B + B + "\n\n " + B, ["B"] * 3),
        (f"{B}\n---\n{A}", ["B", "A"]),
        ("{apiVersion: v1, kind: C}", ["C"]),
        (f"{A}...\n", ["A"]),
        (f"{A}text: |\n  not\n   ---\n  a separator\n", ["A"]),
        (A.encode(), ["A"]),
    ],
)
def test_streams_are_read(text: str | bytes, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]],
        *[(word, False) for word in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(f'"{word}"', word) for word in ("y", "no", "1", "~", "")],
        *[
            (word, word)
            for word in ("yEs", "22:22", "1:30", "11:22:33:44:55:06", "2001-01-01", "1.2.3", "0x", "=", "-")
        ],
        ("2001-12-14T21:59:43.10-05:00", "2001-12-14T21:59:43.10-05:00"),
        ("0777", 511),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b101", -5),
        ("08", 8),
        ("+12_345", 12345),
        ("9007199254740993", 9007199254740993),
        ("1.0", 1),
        ("1.20", 1.2),
        (".5", 0.5),
        ("1e3", 1000),
        ("1" * 500, "1" * 500),
        ("!!str 1", "1"),
        ('!!int "7"', 7),
        ("!!binary aGVsbG8=", "hello"),
        ("[<<, a]", ["<<", "a"]),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    read = read_field(text) if text != "-" else read_field("'-'")
    assert (read, type(read)) == (value, type(value))


def test_keys_become_texts() -> None:
    assert read_field("{1: a, y: b, 1.5: c}") == {"1": "a", "true": "b", "1.5": "c"}


def test_aliases_and_merge_keys_are_copies() -> None:
    objects, _ = decode_stream(f"{A}base: &b {{x: 1, y2: [1]}}\none: {{<<: *b, x: 2}}\ntwo: *b\n")
    assert objects[0]["one"] == {"x": 2, "y2": [1]}
    objects[0]["two"]["y2"].append(2)
    assert objects[0]["base"] == {"x": 1, "y2": [1]}


def test_what_only_a_server_sets_is_dropped() -> None:
    objects, _ = decode_stream("apiVersion: v1\nkind: A\nmetadata: {name: a, uid: u, resourceVersion: '1'}")
    assert objects[0]["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: b\nc: d: e\n",
            "error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context",
        ),
        (
            f"{A}---\na: b: c",
            "error converting YAML to JSON: yaml: line 5: mapping values are not allowed in this context",
        ),
        (
            "apiVersion: v1\nmetadata: {name: x}",
            "error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing in "
            '\'{"apiVersion":"v1","metadata":{"name":"x"}}\'',
        ),
        ("just text", "error unmarshaling JSON: while decoding JSON: a string is not an object"),
        ("[1]", "error unmarshaling JSON: while decoding JSON: a list is not an object"),
        ("kind: A", 'apiVersion is missing in \'{"kind":"A","metadata":{}}\''),
        ("apiVersion: v1\nkind: y", 'kind is a boolean in \'{"apiVersion":"v1","kind":true,"metadata":{}}\''),
        (
            "apiVersion: v1\nkind: A\nmetadata: x",
            'metadata is a string in \'{"apiVersion":"v1","kind":"A","metadata":"..."}\'',
        ),
        (f"{A}--- x\n{A}", "invalid Yaml document separator: x"),
        (f"{A}----\n", "invalid Yaml document separator: -"),
        (f"{A}x: .inf", "error converting YAML to JSON: yaml: line 4: unsupported value: inf"),
        (f"{A}? [a]\n: b", "error converting YAML to JSON: yaml: line 4: unsupported map key: list"),
        (f"{A}~: b", "error converting YAML to JSON: yaml: line 4: unsupported map key: null"),
        (f"{A}x: {{a: 1, a: 2}}", 'error converting YAML to JSON: yaml: line 4: mapping key "a" already defined'),
        (f'{B}{{"a": 1, "a": 2}}', 'json: line 1: mapping key "a" already defined'),
        (f'{A}x: "\\ud800"', "error converting YAML to JSON: yaml: "),
        (B.replace("}}", '}, "x": "\\ud800"}'), "a text is not valid Unicode in "),
        (f"{A}x: !foo b", "error converting YAML to JSON: yaml: line 4: cannot decode 'b' as !foo"),
        (f"{A}x: *nowhere", "error converting YAML to JSON: yaml: line 4: unknown anchor 'nowhere' referenced"),
        (f"{A}x: \x01", "error converting YAML to JSON: yaml: control characters are not allowed"),
        (B + "\n" + B + "\n}", "json: line 3: Expecting value"),
        (B + '{"a": NaN}', "json: line 1: unsupported value: NaN"),
        (b"a: \xff", "not UTF-8 text: byte 3 is 0xff"),
    ],
)
def test_broken_documents_are_one_problem_each(text: str | bytes, problem: str) -> None:
    assert only_problem(text).startswith(problem)


def test_reading_goes_on_after_a_broken_document() -> None:
    objects, problems = decode_stream(f"{A}---\na: b: c\n--- x\n{A}---\nkind: y\n---\n{A}")
    assert (len(objects), len(problems)) == (3, 3)


def test_problems_do_not_show_values() -> None:
    assert "geheim" not in only_problem("apiVersion: v1\nstringData: {password: geheim}\nmetadata: {name: x}\n")


def test_a_config_map_names_itself_and_its_keys() -> None:
    data = {"b.yaml": "x: y: z", "a.yaml": A, "c.json": B}
    config_map = {"metadata": {"name": "em"}, "data": data, "binaryData": {"d": "AAAA"}}
    objects, problems = decode_config_map(config_map)
    assert [obj["kind"] for obj in objects] == ["A", "B"]
    assert problems == [
        "failed to decode b.yaml in the configMap em: error converting YAML to JSON: "
        "yaml: line 1: mapping values are not allowed in this context"
    ]


def test_a_config_map_without_data_holds_nothing() -> None:
    assert decode_config_map({"metadata": {"name": "em"}}) == ([], [])


LAUGHS = "a: &l0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "document contains excessive aliasing"),
        ("a: &a [*a]", "anchor 'a' value contains itself"),
        ("a: &a {b: *a}", "anchor 'a' value contains itself"),
        ("a: &a {<<: *a}", "anchor 'a' value contains itself"),
        ("- " * 400_000 + "x", "nested deeper than 250 levels"),
        ("[" * 1_000_000, "nested deeper than 250 levels"),
        ("{a: " * 200_000, "nested deeper than 250 levels"),
        ('{"a":' * 200_000, "nested deeper than 250 levels"),
        (B + '{"a":' * 200_000, "json: line 1: "),
        (B + '{"a":' + "[" * 300 + "]" * 300 + "}", "nested deeper than 250 levels"),
        ("a: &a " + "[" * 200 + "]" * 200 + "\nb: " + "[" * 100 + "*a" + "]" * 100, "nested deeper than 250 levels"),
        ("? " * 300_000, "nested deeper than 250 levels"),
    ],
    ids=range(12),
)
def test_hostile_text_is_refused_quickly(text: str, problem: str) -> None:
    start = time.monotonic()
    assert problem in only_problem(text)
    assert time.monotonic() - start < 5


def test_ten_thousand_documents_are_read_in_reasonable_time() -> None:
    start = time.monotonic()
    assert len(kinds("---\n".join([A] * 10_000))) == 10_000
    assert time.monotonic() - start < 20


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_any_json_object_is_read_as_it_is(extra: dict[str, Any]) -> None:
    obj = {**extra, "apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}
    assert decode_stream(json.dumps(obj)) == ([obj], [])


@given(st.text() | st.binary())
def test_any_text_ends_in_objects_or_problems(text: str | bytes) -> None:
    objects, problems = decode_stream(text)
    assert all(isinstance(obj["kind"], str) for obj in objects)
    assert all(len(problem) < 1000 for problem in problems)
