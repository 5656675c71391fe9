"""Objects that users keep in ConfigMaps: decoding, and the order in which they are applied (prep.md 4.4). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.kube.kind import Object
from agent.kube.yaml_events import DocumentError, parse_document

_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)
_AFTER_SEPARATOR = re.compile(r"\s*(#.*)?")
_SERVER_METADATA = ("uid", "resourceVersion")
_QUOTED_CHARACTERS = 500
_SHOWN_KEYS = ("apiVersion", "kind", "metadata")
_SHOWN_METADATA = ("name", "namespace", "labels")


@dataclass(slots=True)
class Decoded:
    """The objects of a ConfigMap in their order, and a text for each document that is none."""

    objects: list[Object] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def decode_config_map(config_map: Mapping[str, Any]) -> Decoded:
    """Decode every value of `data`; each problem names key and ConfigMap. `binaryData` holds no manifests."""
    name = config_map["metadata"]["name"]
    decoded = Decoded()
    for key, text in (config_map.get("data") or {}).items():
        for item in decode_documents(text):
            if isinstance(item, DocumentError):
                decoded.problems.append(f"failed to decode {key} in the configMap {name}: {item}")
            else:
                decoded.objects.append(item)
    return decoded


def decode_documents(text: str) -> Iterator[Object | DocumentError]:
    """Yield the objects of a stream of JSON or YAML documents, and an error in the place of each that is none.

    Empty documents count for nothing. After a broken YAML document the next one is read; a broken JSON stream ends.
    """
    documents = _split_json(text) if text.lstrip().startswith("{") else _split_yaml(text)
    for document in documents:
        if isinstance(document, DocumentError):
            yield document
        elif document is not None:
            problem = _find_problem(document)
            yield DocumentError(problem) if problem else _strip(document)


def _split_yaml(text: str) -> Iterator[Any]:
    position, separators = 0, list(_SEPARATOR.finditer(text))
    for separator in [*separators, None]:
        end = separator.start() if separator else len(text)
        try:
            yield parse_document(text[position:end])
        except DocumentError as error:
            yield DocumentError(f"error converting YAML to JSON: {error}")
        if separator:
            position = separator.end()
            if not _AFTER_SEPARATOR.fullmatch(separator[1]):
                yield DocumentError(f"invalid Yaml document separator: {separator[1].strip()[:100]}")


def _split_json(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(object_pairs_hook=_refuse_repeated_keys, parse_constant=_refuse_constant)
    position = 0
    while match := re.compile(r"\S").search(text, position):
        try:
            value, position = decoder.raw_decode(text, match.start())
        except RecursionError:
            yield DocumentError("error unmarshaling JSON: nested too deeply")
            return
        except ValueError as error:
            yield DocumentError(f"error unmarshaling JSON: {error}")
            return
        yield value


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> Object:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'key "{repeated[:100]}" occurs twice in an object')
    return result


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _find_problem(document: Any) -> str | None:
    prefix = "error unmarshaling JSON: while decoding JSON: "
    if not isinstance(document, dict):
        return f"{prefix}a document must be an object, not {_name_type(document)}"
    for key, name in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        value = document.get(key)
        if not value:
            return f"{prefix}Object '{name}' is missing in '{_quote(document)}'"
        if not isinstance(value, str):
            return f"{prefix}{key} must be a string: quote {str(value)[:40]}"
    if not isinstance(document.get("metadata", {}), dict):
        return f"{prefix}metadata must be an object in '{_quote(document)}'"
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return f"{prefix}a text is not valid Unicode in '{_quote(document)}'"
    return None


def _quote(document: Object) -> str:
    """Return the document in short without what may be secret: only identifying fields keep their values."""
    shown = {key: value if key in _SHOWN_KEYS else "..." for key, value in document.items()}
    metadata = shown.get("metadata")
    if isinstance(metadata, dict):
        shown["metadata"] = {k: v if k in _SHOWN_METADATA else "..." for k, v in metadata.items()}
    return json.dumps(shown, separators=(",", ":"), sort_keys=True)[:_QUOTED_CHARACTERS]


def _strip(document: Object) -> Object:
    metadata = document.get("metadata") or {}
    if any(key in metadata for key in _SERVER_METADATA):
        kept = {key: value for key, value in metadata.items() if key not in _SERVER_METADATA}
        return {**document, "metadata": kept}
    return document


def _name_type(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "a scalar")
