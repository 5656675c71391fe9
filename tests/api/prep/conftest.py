"""The checks of Prep against the real API server, without an operator: a context as its passes make it.

Only the host is missing: `root` is an empty folder with the node's kubeconfig and the workspace in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.ibu.decide import Facts
from agent.ibu.itineraries import StageContext
from agent.ibu.ports import ADMIN_KUBECONFIG, WORKSPACE, Ports
from agent.ibu.resource import LiveResource
from agent.kube import Client, Kind, Object
from hostops.hostroot import HostRoot
from hostops.rpmostree import Deployments
from hostops.runner import HostRunner

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")

MakeContext = Callable[..., StageContext]


@pytest.fixture
def root(tmp_path: Path, kubeconfig: Path) -> HostRoot:
    root = HostRoot(tmp_path)
    admin = root.path(ADMIN_KUBECONFIG)
    admin.parent.mkdir(parents=True)
    shutil.copy(kubeconfig, admin)
    root.path(WORKSPACE).mkdir(parents=True)
    return root


@pytest.fixture
def make_context(client: Client, root: HostRoot, ibu: Object) -> MakeContext:
    """What a step gets in a new pass; keyword arguments are fields of the spec."""

    def make(**spec: Any) -> StageContext:
        raw = client.patch_merge(IBU, "upgrade", {"spec": spec})
        ports = Ports(client, HostRunner(), root, "openshift-lifecycle-agent", "pod", "image")
        return StageContext(ports, LiveResource(client, raw), Facts(False), Deployments(()), lambda: datetime.now(UTC))

    return make


@pytest.fixture
def put_config_map(client: Client, namespace: str) -> Callable[..., list[dict[str, str]]]:
    """Make, or replace, a ConfigMap; return the reference for the spec."""

    def put(name: str, data: dict[str, str], **more: Any) -> list[dict[str, str]]:
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        obj |= {"data": data, **more}
        if client.find(Kind("", "v1", "ConfigMap"), name, namespace):
            client.patch_merge(Kind("", "v1", "ConfigMap"), name, json.loads(json.dumps(obj)), namespace)
        else:
            client.create(obj)
        return [{"name": name, "namespace": namespace}]

    return put
