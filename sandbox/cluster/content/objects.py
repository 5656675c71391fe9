"""The objects of a first boot: templates in `objects/*.yaml`, in the order of the files' names.

`${name}` in a text stands for a variable; a `...List` with `items` stands for its items, which inherit apiVersion and
kind.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from agent.kube import Object

CLUSTER = Path(__file__).parent / "objects"
"""What every cluster holds."""
DAY2 = Path(__file__).parent / "day2"
"""What is configured after the installation: backups and storage. A cluster that becomes a seed must not have it."""


class _Template(string.Template):
    idpattern = r"(?a:[a-z][a-z0-9_.]*)"


def object_documents(variables: Mapping[str, str], folder: Path = CLUSTER) -> list[Object]:
    """Fill the templates in. Raises KeyError naming a variable that is not given."""
    return [
        _fill(document, variables)
        for path in sorted(folder.glob("*.yaml"))
        for document in expand_documents(path.read_text())
    ]


def expand_documents(text: str) -> Iterator[Object]:
    """All objects of a stream of YAML documents, lists opened."""
    for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if document is None:
            continue
        if "items" not in document:
            yield document
            continue
        common = {"apiVersion": document["apiVersion"], "kind": document["kind"].removesuffix("List")}
        yield from ({**common, **item} for item in document["items"])


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _Template(value).substitute(variables) if "$" in value else value
    if isinstance(value, dict):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    return value
