"""YAML documents as JSON values, read as Kubernetes reads them, and safely from anybody.

Plain scalars follow the resolver of Kubernetes' YAML library, which differs from PyYAML's: `y`, `n` and their kin are
booleans; `1:30` and dates are text. Values are built from libyaml's events without recursion: nesting, aliases that
contain themselves and aliases that multiply end in an error and not in a dead process.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

MAX_DEPTH = 250

_ALIASED_VALUES_AT_LEAST = 10_000
_ALIASED_VALUES_PER_EVENT = 10
_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, Any] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
}
_TAGGED: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
_FLOAT_WORDS = re.compile(r"[+-]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(r"([+-]?)(?:0x([0-9a-fA-F]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[+-]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][+-]?[0-9]+)?")
_MERGE = object()
_NO_KEY = object()


class YamlError(ValueError):
    """The text is no YAML that stands for JSON; the message names the line."""


def read_yaml(text: str, first_line: int = 1) -> Iterator[Any]:
    """Yield the value of each document of a YAML text; `first_line` is the number of its first line, for messages.

    Raises YamlError.
    """
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_event():
            if isinstance(loader.get_event(), yaml.DocumentStartEvent):
                yield _Builder(loader.get_event, first_line).build()
    except yaml.YAMLError as error:
        raise YamlError(_describe(error, first_line)) from error
    finally:
        loader.dispose()


def normalize_float(value: float) -> int | float:
    """Return whole numbers as integers, as JSON has one kind of number only; raises ValueError for infinity and NaN."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"unsupported value: {value}")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


class _Builder:
    """Builds the value of one document. The stack holds the open collections, innermost last."""

    def __init__(self, get_event: Callable[[], Any], first_line: int) -> None:
        self._get_event = get_event
        self._first_line = first_line
        self._root: list[Any] = []
        self._stack: list[list[Any] | _Mapping] = [self._root]
        self._anchors: dict[str, Any] = {}
        self._open_anchors: list[str | None] = [None]
        self._events = 0
        self._aliased = 0

    def build(self) -> Any:
        while not isinstance(event := self._get_event(), yaml.DocumentEndEvent):
            self._events += 1
            try:
                self._take(event)
            except ValueError as problem:
                line = self._first_line + event.start_mark.line
                raise YamlError(f"yaml: line {line}: {problem}") from problem
        return self._root[0] if self._root else None

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._remember(event.anchor, value := _read_scalar(event))
            self._add(value)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._resolve_alias(event.anchor or ""))
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._open(event)
        else:
            closed = self._stack.pop()
            value = closed if isinstance(closed, list) else closed.finish()
            self._remember(self._open_anchors.pop(), value)
            self._add(value)

    def _open(self, event: Any) -> None:
        if event.tag not in (None, "!", _TAG + "map", _TAG + "seq"):
            raise ValueError(f"tag {event.tag} is not supported")
        if len(self._stack) > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        self._anchors.pop(event.anchor, None)
        self._open_anchors.append(event.anchor)
        self._stack.append(_Mapping() if isinstance(event, yaml.MappingStartEvent) else [])

    def _add(self, value: Any) -> None:
        top = self._stack[-1]
        if isinstance(top, _Mapping):
            top.add(value)
        else:
            top.append("<<" if value is _MERGE else value)

    def _remember(self, anchor: str | None, value: Any) -> None:
        if anchor is not None:
            self._anchors[anchor] = value

    def _resolve_alias(self, anchor: str) -> Any:
        if anchor in self._open_anchors:
            raise ValueError(f"anchor '{anchor}' value contains itself")
        if anchor not in self._anchors:
            raise ValueError(f"unknown anchor '{anchor}' referenced")
        return self._copy(self._anchors[anchor], MAX_DEPTH - len(self._stack) + 1)

    def _copy(self, value: Any, depth: int) -> Any:
        """Copy, so that a change of one object never shows in another; counts what is copied."""
        self._aliased += 1
        if self._aliased > max(_ALIASED_VALUES_AT_LEAST, _ALIASED_VALUES_PER_EVENT * self._events):
            raise ValueError("document contains excessive aliasing")
        if depth < 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {key: self._copy(item, depth - 1) for key, item in value.items()}
        return [self._copy(item, depth - 1) for item in value] if isinstance(value, list) else value


class _Mapping:
    """A mapping that is being read. A key given twice would silently lose data; merged keys (`<<`) count least."""

    def __init__(self) -> None:
        self._key: Any = _NO_KEY
        self._items: dict[str, Any] = {}
        self._merged: dict[str, Any] = {}

    def add(self, value: Any) -> None:
        if self._key is _NO_KEY:
            self._key = value if value is _MERGE else _to_key(value)
            if self._key in self._items:
                raise ValueError(f'mapping key "{self._key[:100]}" already defined')
        elif self._key is _MERGE:
            self._merge(value)
            self._key = _NO_KEY
        else:
            self._items[self._key] = "<<" if value is _MERGE else value
            self._key = _NO_KEY

    def finish(self) -> dict[str, Any]:
        return {**self._merged, **self._items}

    def _merge(self, value: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise ValueError("map merge requires map or sequence of maps as the value")
        for source in sources:
            self._merged = {**source, **self._merged}


def _to_key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("unsupported map key: " + ("null" if value is None else type(value).__name__))


def _read_scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.tag is None or event.tag == "!":
        return _resolve(text) if event.implicit[0] and event.tag is None else text
    kind = event.tag.removeprefix(_TAG)
    if kind in ("str", "timestamp"):
        return text
    if kind == "binary":
        try:
            return base64.b64decode(text).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("!!binary value contains invalid base64 or no UTF-8 text") from error
    value = _resolve(text)
    if kind not in _TAGGED or not isinstance(value, _TAGGED[kind]):
        raise ValueError(f"cannot decode {text[:40]!r} as {event.tag}")
    return value


def _resolve(text: str) -> Any:
    """Tell what a plain scalar stands for."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == "<":
        return _MERGE if text == "<<" else text
    if first not in "+-.0123456789":
        return text
    if _FLOAT_WORDS.fullmatch(text):
        return normalize_float(float(text.replace(".", "")))
    digits = text.replace("_", "")
    if len(digits) < 400:
        if match := _INTEGER.fullmatch(digits):
            sign, *numbers = match.groups()
            return int(sign + "".join(filter(None, numbers)), (16, 2, 8, 10)[_first_given(numbers)])
        if _FLOAT.fullmatch(digits):
            return normalize_float(float(digits))
    return text


def _first_given(numbers: list[str | None]) -> int:
    return next(index for index, number in enumerate(numbers) if number is not None)


def _describe(error: yaml.YAMLError, first_line: int) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem:
        mark = error.problem_mark or error.context_mark
        where = f"line {first_line + mark.line}: " if mark else ""
        return f"yaml: {where}{error.problem}"
    return f"yaml: {getattr(error, 'reason', None) or ' '.join(str(error).split())}"
