"""CRDs from short files: what all CRDs of a product have in common is written once, here.

A file has `kinds`, each with `kind`, `group`, `version`, `plural`, optional `short` names, `scope` (Namespaced),
`columns` (`[name, type, JSONPath]`), `status` (true: a subresource), and the schema of its top level in `fields`
(`required` there applies to it). Shapes used several times are YAML anchors.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from agent.kube import Object


def load_definitions(path: Path) -> list[Object]:
    """Return the CustomResourceDefinitions that `path` describes."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [_expand(entry) for entry in yaml.load(path.read_bytes(), Loader=loader)["kinds"]]  # noqa: S506


def _expand(entry: Object) -> Object:
    kind, plural, group = entry["kind"], entry["plural"], entry["group"]
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    version = {
        "name": entry["version"],
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {**properties, **entry["fields"]}}},
        "subresources": {"status": {}} if entry.get("status") else {},
        "additionalPrinterColumns": [
            {"name": name, "type": type_, "jsonPath": json_path} for name, type_, json_path in entry.get("columns", ())
        ],
    }
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": entry.get("scope", "Namespaced"),
            "names": {**names, "shortNames": entry.get("short", [])},
            "versions": [version],
        },
    }
