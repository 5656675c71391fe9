"""Reading manifests from the values of ConfigMaps and from files (prep.md 4.4.1)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from agent.kube.kind import Object
from agent.kube.manifests.yaml_values import MAX_DEPTH, YamlError, normalize_float, read_yaml

_SEPARATOR = "---"
_SEPARATOR_LINE = re.compile(r"^---(.*)$", re.MULTILINE)
_SPACE = re.compile(r"\s*")
_SHOWN = ("apiVersion", "kind")
_SHOWN_METADATA = ("name", "namespace", "generateName")


class DocumentError(ValueError):
    """One document can not be read; the others can."""


def decode_config_map(config_map: Object) -> tuple[list[Object], list[str]]:
    """Return the objects in all values of `data`, by key, and a text for each problem.

    `binaryData` is not looked at.
    """
    objects: list[Object] = []
    problems: list[str] = []
    name = config_map["metadata"]["name"]
    for key, text in sorted((config_map.get("data") or {}).items()):
        found, wrong = decode_stream(text)
        objects += found
        problems += [f"failed to decode {key} in the configMap {name}: {problem}" for problem in wrong]
    return objects, problems


def decode_stream(text: str | bytes) -> tuple[list[Object], list[str]]:
    """Return the objects of a stream of JSON or YAML documents, and a text for each problem.

    Documents without content are skipped; `metadata.uid` and `metadata.resourceVersion` are dropped. After a broken
    YAML document reading goes on with the next one, after broken JSON it ends.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            return [], [f"not UTF-8 text: byte {error.start} is {text[error.start]:#04x}"]
    text = text.removeprefix("\ufeff")
    objects: list[Object] = []
    problems: list[str] = []
    documents = _read_json(text) if text.lstrip().startswith("{") else _read_all_yaml(text)
    for document in documents:
        try:
            if isinstance(document, DocumentError):
                raise document
            objects.append(_check_object(document))
        except DocumentError as problem:
            problems.append(str(problem))
    return objects, problems


def _read_json(text: str) -> Iterator[Any]:
    """Yield JSON objects one after the other; what is no JSON may still be YAML (`{a: b}`, `---` between objects)."""
    decoder = json.JSONDecoder(
        parse_float=lambda digits: normalize_float(float(digits)),
        parse_constant=_refuse_constant,
        object_pairs_hook=_refuse_repeated_keys,
    )
    position, count = _skip_space(text, 0), 0
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
            _check_depth(value, MAX_DEPTH)
        except (ValueError, RecursionError) as error:
            if count == 0 or text.startswith(_SEPARATOR, position):
                yield from _read_all_yaml(text[position:], text.count("\n", 0, position) + 1)
            else:
                yield DocumentError(f"json: {_describe_json(error, text, position)}")
            return
        yield value
        count += 1
        position = _skip_space(text, position)


def _read_all_yaml(text: str, first_line: int = 1) -> Iterator[Any]:
    """Yield the value, or the problem, of each YAML document; documents without content are left out."""
    for document, line in _split_yaml(text, first_line):
        if isinstance(document, DocumentError):
            yield document
            continue
        try:
            yield from (value for value in read_yaml(document, line) if value is not None)
        except YamlError as problem:
            yield DocumentError(f"error converting YAML to JSON: {problem}")


def _split_yaml(text: str, first_line: int) -> Iterator[tuple[str | DocumentError, int]]:
    """Cut at the lines that start with `---`; yield each part with the number of its first line."""
    start, line = 0, first_line
    for match in _SEPARATOR_LINE.finditer(text):
        part = text[start : match.start()]
        yield part, line
        line += part.count("\n")
        behind = match[1].strip()
        if behind and not behind.startswith("#"):
            yield DocumentError(f"invalid Yaml document separator: {behind[:80]}"), line
        start = match.end()
    yield text[start:], line


def _check_object(document: Any) -> Object:
    """Return the object without what only a server may set; raises DocumentError when it is none."""
    if not isinstance(document, dict):
        raise DocumentError(f"error unmarshaling JSON: while decoding JSON: a {_type_name(document)} is not an object")
    kind = document.get("kind")
    if kind is None or kind == "":
        shown = _show(document)
        raise DocumentError(f"error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing in '{shown}'")
    metadata = document.setdefault("metadata", {})
    if metadata is None:
        metadata = document["metadata"] = {}
    if not isinstance(kind, str) or not isinstance(metadata, dict):
        wrong, value = ("metadata", metadata) if isinstance(kind, str) else ("kind", kind)
        raise DocumentError(f"{wrong} is a {_type_name(value)} in '{_show(document)}'")
    if not document.get("apiVersion") or not isinstance(document["apiVersion"], str):
        raise DocumentError(f"apiVersion is missing in '{_show(document)}'")
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DocumentError(f"a text is not valid Unicode in '{_show(document)}'") from error
    for key in ("uid", "resourceVersion"):
        metadata.pop(key, None)
    return document


def _show(document: Object) -> str:
    """Write a document for a message: what names it, and only the keys of the rest, which may be secret."""
    shown = {key: value if key in _SHOWN else "..." for key, value in document.items()}
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        shown["metadata"] = {key: metadata[key] for key in _SHOWN_METADATA if key in metadata}
    text = json.dumps(shown, separators=(",", ":"), sort_keys=True)
    return text if len(text) <= 400 else text[:400] + "..."


def _check_depth(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, depth - 1)


def _describe_json(error: Exception, text: str, position: int) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg}"
    return f"line {text.count(chr(10), 0, position) + 1}: {error}"


def _refuse_constant(word: str) -> None:
    raise ValueError(f"unsupported value: {word}")


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> Object:
    result = dict(pairs)
    if len(result) != len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f'mapping key "{repeated[:100]}" already defined')
    return result


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "map"}
    return names.get(type(value), "null")


def describe_binary_values(config_map: Object) -> list[str]:
    """Name the values that are not looked at, because only text can hold manifests.

    `kubectl create configmap --from-file` puts a file there that is not in UTF-8.
    """
    keys = ", ".join(sorted(config_map.get("binaryData") or {}))
    if not keys:
        return []
    return [f"binary values in the configMap {config_map['metadata']['name']} are not read, manifests are text: {keys}"]
