"""The CRDs of a sandbox: expands the short list in `kinds.yaml`, adds those that other parts bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from agent.kube import Object
from sandbox.lvms import definitions as lvms
from sandbox.velero import definitions as velero

_HERE = Path(__file__).parent
_OWN_CRDS = Path(__file__).parents[3] / "crds"
_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def crd_documents() -> list[Object]:
    """All CRDs of a first boot: OpenShift's kinds, those of OADP and LVM Storage, and the project's own."""
    own = (_load(path) for path in sorted(_OWN_CRDS.glob("*.yaml")))
    return [*_openshift_crds(), *velero.crd_documents(), *lvms.crd_documents(), *own]


def _openshift_crds() -> Iterator[Object]:
    for group in _load(_HERE / "kinds.yaml"):
        for entry in group["kinds"]:
            yield expand_kind(group, entry)


def expand_kind(group: Object, entry: Object) -> Object:
    """Return the CRD of one entry of `kinds.yaml`; `group` holds what its neighbours have in common."""
    kind = entry["kind"]
    plural = entry.get("plural", kind.lower() + "s")
    has_status = entry.get("status", True)
    version: Object = {
        "name": group.get("version", "v1"),
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _OPEN}, **_OPEN}},
        "subresources": {"status": {}} if has_status else {},
    }
    if columns := entry.get("columns"):
        version["additionalPrinterColumns"] = [_expand_column(column) for column in columns]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group['group']}"},
        "spec": {
            "group": group["group"],
            "scope": "Namespaced" if group.get("namespaced") else "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": entry.get("short", []),
            },
            "versions": [version],
        },
    }


def _expand_column(column: Any) -> Object:
    if isinstance(column, dict):
        name = column["condition"]
        column = [name, f'.status.conditions[?(@.type=="{name}")].status']
    name, path, kind = (*column, "string")[:3]
    return {"name": name, "jsonPath": path, "type": kind}


def _load(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
