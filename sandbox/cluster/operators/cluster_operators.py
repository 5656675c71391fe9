"""Brings the ClusterOperators up one after the other after each start, and keeps ClusterVersion in step.

The order of their names is the order in which they come up. Afterwards only faults change anything.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from agent.kube import Client, Kind, Object
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.kubelet.status import format_time
from sandbox.cluster.operators.cluster_version import cluster_version_status
from sandbox.cluster.operators.health import HEALTHY, STARTING, Health, operator_conditions, operator_health
from sandbox.cluster.operators.novelty import is_new
from sandbox.faults import Faults

CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
_FAULTS_SECONDS = 1.0


class ClusterOperators:
    """Status of all ClusterOperators and of ClusterVersion."""

    def __init__(self, client: Client, config: ClusterConfig) -> None:
        self._client, self._config = client, config
        self._faults = Faults(config.faults_file)
        self._began = time.monotonic()
        self._seen_faults: dict[str, str] = {}
        self._shown: dict[str, Health] = {}

    def begin(self) -> None:
        """The node has just booted: no operator is available. Call it before anything else can look."""
        self._began, self._shown = time.monotonic(), {}
        self._show(self._faults.all())

    def run(self, stop: threading.Event) -> None:
        """Follow time and faults until `stop`."""
        while not stop.wait(self._config.operator_seconds if self._rising else _FAULTS_SECONDS):
            faults = self._faults.all()
            if self._rising or faults != self._seen_faults:
                self._show(faults)

    @property
    def _rising(self) -> bool:
        """Whether time alone will still change something."""
        return any(health.reason in STARTING for health in self._shown.values())

    def _show(self, faults: dict[str, str]) -> None:
        """Write the status of every operator whose health has changed."""
        seconds_up, now = time.monotonic() - self._began, format_time(datetime.now(UTC))
        operators = sorted(self._client.list(CLUSTER_OPERATOR), key=lambda item: str(item["metadata"]["name"]))
        before = dict(self._shown)
        for position, operator in enumerate(operators):
            name = operator["metadata"]["name"]
            health = operator_health(
                name,
                position,
                seconds_up,
                operator_seconds=self._config.operator_seconds,
                faults=faults,
                pivoted=is_new(self._config),
            )
            if self._shown.get(name) != health:
                self._write_operator(operator, health, now)
                self._shown[name] = health
        self._seen_faults = faults
        if self._shown != before:
            self._write_version(now)

    def _write_operator(self, operator: Object, health: Health, now: str) -> None:
        before = operator.get("status") or {}
        status = {
            "conditions": operator_conditions(health, before.get("conditions") or [], now),
            "versions": [{"name": "operator", "version": self._config.version}],
        }
        self._client.patch_merge(
            CLUSTER_OPERATOR, operator["metadata"]["name"], {"status": status}, subresource="status"
        )

    def _write_version(self, now: str) -> None:
        before = self._client.get(CLUSTER_VERSION, "version").get("status") or {}
        status = cluster_version_status(
            before,
            version=self._config.version,
            image=self._config.release_image,
            unhealthy=[name for name, health in sorted(self._shown.items()) if health != HEALTHY],
            now=now,
        )
        self._client.patch_merge(CLUSTER_VERSION, "version", {"status": status}, subresource="status")
