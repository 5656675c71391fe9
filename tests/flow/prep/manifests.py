"""Manifests that tests put into ConfigMaps."""

from __future__ import annotations

import json
from typing import Any

from tests.flow.prep.conftest import SECRET_TEXT


def make(api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> str:
    """One document of a YAML stream; `annotations` go into the metadata."""
    metadata = {"name": name, "annotations": content.pop("annotations", {})}
    metadata |= {"namespace": namespace} if namespace else {}
    return f"{json.dumps({'apiVersion': api_version, 'kind': kind, 'metadata': metadata, **content})}\n"


def config_map(name: str, namespace: str = "default", **content: Any) -> str:
    return make("v1", "ConfigMap", name, namespace, **content)


def secret(name: str) -> str:
    return make("v1", "Secret", name, "default", stringData={"password": SECRET_TEXT})


BACKUP = """apiVersion: velero.io/v1
kind: Backup
metadata:
  name: apps
  namespace: openshift-adp
spec: {includedNamespaces: [default], includedNamespaceScopedResources: [configmaps]}
"""
RESTORE = """apiVersion: velero.io/v1
kind: Restore
metadata:
  name: apps
  namespace: openshift-adp
spec: {backupName: apps}
"""
