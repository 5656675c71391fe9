"""From the specification of a container to a running one: variables, program, mounts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from agent.kube import Client, Object, errors
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.kubelet.bubblewrap import ContainerPlan, Mount
from sandbox.cluster.kubelet.downward import PodConfigError
from sandbox.cluster.kubelet.environment import build_environment, command_line, expand
from sandbox.cluster.kubelet.images import check_program, entrypoint
from sandbox.cluster.kubelet.logs import log_path
from sandbox.cluster.kubelet.portmap import map_ports, translate_address
from sandbox.cluster.kubelet.runtime import Container, Runtime
from sandbox.cluster.kubelet.sources import ApiSources
from sandbox.cluster.kubelet.status import format_time
from sandbox.cluster.kubelet.volumes import PodVolumes

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


class ContainerStarter:
    """What the Pods of one node have in common."""

    def __init__(self, client: Client, config: ClusterConfig, allocatable: dict[str, str]) -> None:
        self.client, self.config, self._allocatable = client, config, allocatable
        self.logs = config.node_root / "var/log/pods"
        self.runtime = Runtime()
        programs = [*config.programs, Path(sys.executable).parent]
        self._path = ":".join([*map(str, programs), _SYSTEM_PATH])
        folders = [*programs, *config.program_mounts, Path(sys.base_prefix)]
        self._folders = _outermost([folder for folder in folders if not folder.is_relative_to("/usr")])

    def volumes_of(self, pod: Object) -> PodVolumes:
        """The volumes of a Pod."""
        return PodVolumes(self.client, self.config, self._allocatable, pod)

    def termination_log(self, volumes: PodVolumes, container: str) -> Path:
        """The file into which a container may write why it ended."""
        return volumes.folder / "termination" / str(container)

    def start(
        self, pod: Object, spec: Object, volumes: PodVolumes, restarts: int, on_exit: Callable[[int], None]
    ) -> Container:
        """Start a container. Raises PodConfigError while something that it needs is missing."""
        ports = map_ports(pod, spec)
        plan = self._plan(pod, spec, volumes, ports)
        log = log_path(self.logs, pod, spec["name"], restarts)
        try:
            container = self.runtime.start(plan, log, on_exit)
        except OSError as error:
            raise PodConfigError(f"exec: bwrap: {error}; install the package bubblewrap") from error
        container.ports = ports
        return container

    def _plan(self, pod: Object, spec: Object, volumes: PodVolumes, ports: dict[int, int]) -> ContainerPlan:
        sources = ApiSources(self.client, pod["metadata"]["namespace"])
        environment = build_environment(pod, spec, sources, self._allocatable, self._base_environment(pod))
        environment = {name: translate_address(value, ports) for name, value in environment.items()}
        mounts = _mounts(spec, volumes, environment)
        known = entrypoint(spec.get("image", ""))
        if spec.get("command"):
            command = [translate_address(word, ports) for word in command_line(spec, environment)]
        elif known:
            command = known
        else:
            raise PodConfigError(
                f'image "{spec.get("image", "")}" is not unpacked in a sandbox and its entry point is not known: '
                "give the container a command"
            )
        check_program(command, environment, [mount.target for mount in mounts])
        termination = self.termination_log(volumes, spec["name"])
        termination.parent.mkdir(parents=True, exist_ok=True)
        termination.write_bytes(b"")
        security = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
        return ContainerPlan(
            command=command,
            environment=environment,
            hostname=environment["HOSTNAME"],
            mounts=mounts,
            read_only_folders=self._folders,
            termination_log=termination,
            termination_path=spec.get("terminationMessagePath") or "/dev/termination-log",
            working_directory=spec.get("workingDir") or "/",
            node_root=self.config.node_root,
            host_pid=bool(pod["spec"].get("hostPID")),
            user=security.get("runAsUser"),
            group=security.get("runAsGroup"),
        )

    def _base_environment(self, pod: Object) -> dict[str, str]:
        server = urlsplit(self.client.access.server)
        return {
            "PATH": self._path,
            "HOME": "/root",
            "HOSTNAME": self.config.node_name if pod["spec"].get("hostNetwork") else pod["metadata"]["name"],
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(server.port),
        }

    def report(self, pod: Object, kind: str, reason: str, message: str) -> None:
        """Leave an Event about a Pod; losing one is no harm."""
        metadata, now = pod["metadata"], datetime.now(UTC)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "kubelet", "host": self.config.node_name},
            "firstTimestamp": format_time(now),
            "lastTimestamp": format_time(now),
            "count": 1,
        }
        try:
            self.client.create(event)
        except errors.Closed:
            raise
        except errors.ApiError:
            return  # the namespace is being deleted, or the server goes down: nobody will miss it

    def delete_now(self, pod: Object) -> None:
        """Remove the Pod from the API: everything of it has ended."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        try:
            self.client.request("DELETE", path, body={"apiVersion": "v1", "kind": "DeleteOptions", **options})
        except (errors.NotFound, errors.Conflict):
            return  # gone already, or another one of the same name

    def remove_logs(self, pod: Object) -> None:
        """Delete the logs of a Pod that is gone."""
        shutil.rmtree(log_path(self.logs, pod, "x", 0).parents[1], ignore_errors=True)


def _mounts(spec: Object, volumes: PodVolumes, environment: dict[str, str]) -> list[Mount]:
    paths, mounts = volumes.paths, []
    for entry in volumes.mounts_of(spec):
        if entry["name"] not in paths:
            raise PodConfigError(f"the Pod has no volume {entry['name']}")
        source = paths[entry["name"]]
        below = entry.get("subPath") or expand(entry.get("subPathExpr") or "", environment)
        if below:
            source = source / os.path.normpath("/" + below).lstrip("/")
            if not source.exists():
                source.mkdir(parents=True)
        mounts.append(Mount(source, entry["mountPath"], bool(entry.get("readOnly"))))
    return mounts


def _outermost(folders: list[Path]) -> list[Path]:
    """The folders without those that lie in another one of them, and without those that do not exist."""
    unique = sorted({folder for folder in folders if folder.exists()})
    return [folder for folder in unique if not any(folder != o and folder.is_relative_to(o) for o in unique)]
