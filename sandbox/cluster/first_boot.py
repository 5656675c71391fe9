"""Fills an empty cluster. Crash-only: every object is created if it is missing, a marker is written last.

Once the marker is there nothing is created or corrected any more: from then on the cluster belongs to its users.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterable
from pathlib import Path

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.content.identities import make_variables, read_pull_secret
from sandbox.cluster.content.kinds import crd_documents
from sandbox.cluster.content.objects import CLUSTER, DAY2, expand_documents, object_documents

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
MARKER = ("sandbox-first-boot", "kube-system")
_ESTABLISH_SECONDS = 60

_log = logging.getLogger(__name__)


class ContentError(Exception):
    """The cluster can not be filled; the text names the object or file and the reason."""


def fill_cluster(client: Client, config: ClusterConfig) -> bool:
    """Create what a cluster holds at its first boot; False if that has been done before. Raises ContentError."""
    if client.find(CONFIG_MAP, *MARKER):
        return False
    crds = crd_documents()
    create_missing(client, crds)
    _wait_established(client, {crd["metadata"]["name"] for crd in crds})
    pull_secret = read_pull_secret(config.node_root / "var/lib/kubelet/config.json", config.release_registry)
    variables = make_variables(config, pull_secret)
    documents = render_manifests(config.deploy_dir) if config.deploy_dir and config.deploy_dir.exists() else []
    documents += object_documents(variables, CLUSTER)
    if config.object_store:
        documents += object_documents(variables, DAY2)
    create_missing(client, sorted(documents, key=lambda document: document["kind"] != "Namespace"))
    marker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARKER[0], "namespace": MARKER[1]}}
    create_missing(client, [{**marker, "data": {"version": config.version}}])
    return True


def create_missing(client: Client, documents: Iterable[Object]) -> None:
    """Create each object with its status; those that exist stay as they are. Raises ContentError."""
    for document in documents:
        kind, metadata = Kind.of(document), document["metadata"]
        try:
            try:
                live = client.create(document)
            except errors.AlreadyExists:
                live = client.get(kind, metadata["name"], metadata.get("namespace"))
            if "status" in document and not live.get("status") and "status" in client.resource(kind).subresources:
                client.update_status({**live, "status": document["status"]})
        except errors.ApiError as error:
            raise ContentError(f"{kind} {metadata.get('name')}: {error}") from error


def render_manifests(folder: Path) -> list[Object]:
    """The objects of a kustomize folder. Raises ContentError with what kubectl said."""
    argv = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise ContentError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return list(expand_documents(done.stdout))


def _wait_established(client: Client, names: set[str]) -> None:
    missing = set(names)
    with client.watch(CRD, timeout_seconds=_ESTABLISH_SECONDS) as watch:
        for event in watch:
            conditions = event.object["status"].get("conditions") or []
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                missing.discard(event.object["metadata"]["name"])
            if not missing:
                return
    raise ContentError(f"CRDs not established after {_ESTABLISH_SECONDS} s: {', '.join(sorted(missing))}")
