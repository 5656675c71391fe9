"""Calls of `agent.kube` on a real API server, against the same HTTP call with nothing but urllib3."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3

from agent.kube import Client, Kind, Object
from sandbox.controlplane import ControlPlane
from tools.bench.measure import Figure, compare_calls

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")
LISTED = 500


def measure() -> Iterator[Figure]:
    """Start a control plane and compare get, list, status update and the way of an event."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        ControlPlane(Path(directory)) as plane,
        Client.connect(plane.admin_kubeconfig) as client,
    ):
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}})
        bare = Bare(client)
        yield from _measure_reads(client, bare)
        yield _measure_status(client, bare)
        yield _measure_event(client)


class Bare:
    """The floor: one warm connection, no errors, no retries, no decoding unless asked."""

    def __init__(self, client: Client) -> None:
        context: ssl.SSLContext = client.access.build_ssl_context()
        self.pool = urllib3.PoolManager(ssl_context=context)
        self.server = client.access.server

    def send(self, method: str, path: str, body: Object | None = None) -> bytes:
        """Return the body of the answer."""
        payload = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return self.pool.request(method, self.server + path, body=payload, headers=headers).data


def _config_map(name: str) -> Object:
    data = {f"key-{number}": "x" * 100 for number in range(10)}
    metadata = {"name": name, "namespace": "bench", "labels": {"app": "bench"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _measure_reads(client: Client, bare: Bare) -> Iterator[Figure]:
    path = "/api/v1/namespaces/bench/configmaps"
    for number in range(LISTED):
        client.create(_config_map(f"c{number}"))
    yield compare_calls(
        "get a ConfigMap",
        lambda: client.get(CONFIG_MAP, "c0", "bench"),
        "urllib3 GET",
        lambda: bare.send("GET", f"{path}/c0"),
        runs=300,
    )
    yield compare_calls(
        f"list {LISTED} ConfigMaps",
        lambda: client.list(CONFIG_MAP, "bench", labels="app=bench"),
        "urllib3 GET + json",
        lambda: json.loads(bare.send("GET", f"{path}?labelSelector=app%3Dbench&limit=500")),
        runs=40,
    )


def _measure_status(client: Client, bare: Bare) -> Figure:
    """Namespaces have a status whose conditions anybody may write; each write really changes something."""
    current: dict[str, Any] = client.get(NAMESPACE, "bench")
    count = 0

    def changed() -> Object:
        nonlocal count
        count += 1
        condition = {"type": "Bench", "status": "True", "reason": f"R{count}", "message": "measured"}
        return {**current, "status": {**current["status"], "conditions": [condition]}}

    def ours() -> None:
        nonlocal current
        current = client.update_status(changed())

    def floor() -> None:
        nonlocal current
        current = json.loads(bare.send("PUT", "/api/v1/namespaces/bench/status", changed()))

    return compare_calls("update a status", ours, "urllib3 PUT + json", floor, runs=200)


def _measure_event(client: Client) -> Figure:
    """How long after a change a watch shows it: a patch and its event, against the patch alone."""
    count = 0

    def patch(name: str) -> None:
        nonlocal count
        count += 1
        client.patch_merge(CONFIG_MAP, name, {"data": {"count": str(count)}}, "bench")

    with client.watch(CONFIG_MAP, "bench", name="c0", timeout_seconds=600) as watch:
        next(watch)

        def patch_and_see() -> None:
            patch("c0")
            next(watch)

        return compare_calls("patch and see the event", patch_and_see, "patch", lambda: patch("c1"), runs=200)
