"""One YAML document as plain JSON data, built from parser events.

Three things that PyYAML's own construction does not give: the scalars of Kubernetes' YAML (`y` and `on` are booleans,
`0o644` is a number, `12:30` and `2024-01-01` are texts), bounded work for hostile input (depth, size after aliases),
and errors for repeated keys, which would silently lose data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

MAX_DEPTH = 100
MAX_NODES = 500_000
"""Values in one document after its aliases are resolved: a ConfigMap's 1 MiB holds fewer, a bomb's holds more."""

_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE = {text for word in ("y", "yes", "on", "true") for text in (word, word.capitalize(), word.upper())}
_FALSE = {text for word in ("n", "no", "off", "false") for text in (word, word.capitalize(), word.upper())}
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|(?:0|[1-9][0-9_]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MERGE = "<<"


class DocumentError(ValueError):
    """The document can not be read; the text says where and why."""


def parse_document(text: str) -> Any:
    """Return the data of the only document in `text`; None when it holds nothing but comments. Raises DocumentError."""
    try:
        return _Builder().build(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentError(f"yaml: line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise DocumentError(f"yaml: {error}") from error


class _Builder:
    """Builds values bottom up with a stack of its own, so that no depth of input can exhaust ours."""

    def __init__(self) -> None:
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[tuple[Any, str | None, list[tuple[Any, int]]]] = []
        self._result: Any = None
        self._nodes = 0

    def build(self, events: Iterator[yaml.Event]) -> Any:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._add(_resolve(event), 1, event.anchor)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    if len(self._open) >= MAX_DEPTH:
                        raise _make_error(event, f"nested deeper than {MAX_DEPTH} levels")
                    self._open.append((event, event.anchor, []))
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    start, anchor, items = self._open.pop()
                    is_mapping = isinstance(start, yaml.MappingStartEvent)
                    value = _make_mapping(start, [v for v, _ in items]) if is_mapping else [v for v, _ in items]
                    self._add(value, 1 + sum(size for _, size in items), anchor)
                case yaml.AliasEvent():
                    if event.anchor not in self._anchors:
                        raise _make_error(event, f"unknown or recursive anchor '{event.anchor}' referenced")
                    self._add(*self._anchors[event.anchor], None)
        return self._result

    def _add(self, value: Any, size: int, anchor: str | None) -> None:
        if size > MAX_NODES:
            raise DocumentError(f"yaml: document contains excessive aliasing: more than {MAX_NODES} values")
        if anchor:
            self._anchors[anchor] = (value, size)
        if self._open:
            self._open[-1][2].append((value, size))
        else:
            self._result = value


def _make_mapping(start: yaml.Event, items: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    merged: list[Any] = []
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = _name_key(start, key)
        if name == _MERGE:
            merged += value if isinstance(value, list) else [value]
        elif name in result:
            raise _make_error(start, f'mapping key "{name[:100]}" already defined')
        else:
            result[name] = value
    for mapping in merged:
        if not isinstance(mapping, dict):
            raise _make_error(start, "map merge requires map or sequence of maps as the value")
        result = {**mapping, **result}
    return result


def _name_key(start: yaml.Event, key: Any) -> str:
    match key:
        case str():
            return key
        case bool():
            return str(key).lower()
        case int() | float():
            return str(key)
        case None:
            return "null"
    raise _make_error(start, "a mapping key must be a scalar")


def _resolve(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    tag = (event.tag or "").removeprefix("tag:yaml.org,2002:")
    if tag == "str" or (not tag and not event.implicit[0]) or event.style in ("'", '"', "|", ">"):
        return text
    if tag not in ("", "null", "bool", "int", "float"):
        raise _make_error(event, f"unsupported tag {event.tag}")
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return _read_integer(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _read_integer(text: str) -> int:
    digits = text.replace("_", "")
    unsigned = digits.lstrip("+-")
    if len(unsigned) > 1 and unsigned[0] == "0" and unsigned[1].isdigit():
        return int(digits, 8)
    return int(digits, 0)


def _make_error(event: yaml.Event, problem: str) -> DocumentError:
    line = event.start_mark.line + 1 if event.start_mark else 1
    return DocumentError(f"yaml: line {line}: {problem}")
