"""The two steps of Prep that run as Jobs: building the stateroot and pulling the images (prep.md 2, 6, 8, 9.4)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.ports import WORKSPACE, Ports
from agent.ibu.prep.job_state import JobState, read_job
from agent.ibu.prep.jobs import (
    DEPLOYMENT_NAME,
    PRECACHE_CONFIG_MAP,
    PRECACHE_JOB,
    STATEROOT_JOB,
    Owner,
    RenderError,
    find_manager,
    render_image_list,
    render_precache_job,
    render_stateroot_job,
)
from agent.kube import Client, Kind, Object, errors
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from hostops.stateroots import stateroot_path
from seeds.cluster import ClusterFactsError, list_mirror_sources
from seeds.deployment import read_image_list
from seeds.format import MANIFEST, SEED_DATA, SeedClusterInfo, SeedFormatError
from seeds.registry import get_registry, needs_override, override_registry

DEPLOYMENT = Kind("apps", "v1", "Deployment")
POD = Kind("", "v1", "Pod")
CONFIG_MAP = Kind("", "v1", "ConfigMap")

IMAGE_LIST_FILE = "/var/tmp/containers.list"  # noqa: S108 - written by the stateroot Job, named in its contract
PROGRESS_FILE = f"{WORKSPACE}/precache_status.json"
# Events of the Jobs wake the controller; this is the safety net.
JOB_POLL = timedelta(seconds=30)
# A ConfigMap holds 1 MiB in all; leave room for its metadata.
MAX_LIST_BYTES = 1_000_000
_CAUSE_CHARACTERS = 1024


class LaunchError(Exception):
    """A Job can not be launched now; the text says why."""


def build_stateroot(context: StageContext) -> Outcome:
    """Launch the stateroot Job, follow it, tell why it failed."""
    ports = context.ports
    meta = f"job-name: {STATEROOT_JOB}, job-namespace: {ports.namespace}"
    match read_job(context, STATEROOT_JOB):
        case JobState.ABSENT:
            _launch_stateroot_job(context)
            return Wait(messages.stateroot_job_launched(STATEROOT_JOB, ports.namespace), JOB_POLL)
        case JobState.DELETED:
            return Failed(f"stateroot job is marked to be deleted, this is not allowed. {meta}")
        case JobState.RUNNING:
            return Wait(messages.stateroot_job_in_progress(STATEROOT_JOB, ports.namespace), JOB_POLL)
        case JobState.FAILED:
            return Failed(_append_cause(f"stateroot setup job failed to complete. {meta}", ports, STATEROOT_JOB))
        case JobState.COMPLETE:
            return Done()


def precache_images(context: StageContext) -> Outcome:
    """Launch the precache Job, show its progress, tell why it failed."""
    ports = context.ports
    meta = f"job-name: {PRECACHE_JOB}, job-namespace: {ports.namespace}"
    match read_job(context, PRECACHE_JOB):
        case JobState.ABSENT:
            try:
                _launch_precache_job(context)
            except (SeedFormatError, RenderError) as error:
                return Failed(f"failed to launch precaching job: {error}")
            return Wait(messages.precache_job_launched(PRECACHE_JOB, ports.namespace), JOB_POLL)
        case JobState.DELETED:
            return Failed(f"precache job is marked to be deleted, this not allowed. {meta}")
        case JobState.RUNNING:
            text = messages.precache_job_in_progress(PRECACHE_JOB, ports.namespace, read_progress(ports))
            return Wait(text, JOB_POLL)
        case JobState.FAILED:
            return Failed(_append_cause(f"precache job failed to complete. {meta}", ports, PRECACHE_JOB))
        case JobState.COMPLETE:
            return Done()


def _make_owner(context: StageContext) -> Owner:
    return Owner(context.cr.metadata.name, context.cr.metadata.uid)


def read_progress(ports: Ports) -> str:
    """Return the counters of the precache workload as users see them, or why there are none."""
    try:
        progress = json.loads(ports.root.path(PROGRESS_FILE).read_bytes())
        return f"total: {progress['total']} (pulled: {progress['pulled']}, failed: {progress['failed']})"
    except OSError:
        return "No precache status file to read yet."
    except (ValueError, KeyError, TypeError):
        return "could not unmarshal precache status file"


def _launch_stateroot_job(context: StageContext) -> None:
    try:
        job = render_stateroot_job(_get_deployment(context.ports), _make_owner(context))
        _create_once(context.ports.client, job)
    except RenderError as error:
        raise LaunchError(f"failed launch stateroot job: failed to render job: {error}") from error
    except errors.ApiError as error:
        raise LaunchError(f"failed launch stateroot job: {error}") from error


def _launch_precache_job(context: StageContext) -> None:
    """Create the image list and the Job. Raises LaunchError (retried), SeedFormatError and RenderError (final)."""
    ports = context.ports
    try:
        images = _list_images(context)
        if not images:
            raise RenderError("failed to create precaching job: no images specified for precaching")
        config_map = render_image_list(ports.namespace, images)
        if len(config_map["data"]["images.txt"].encode()) > MAX_LIST_BYTES:
            raise RenderError(f"failed to create precaching job: the list of {len(images)} images exceeds a ConfigMap")
        deployment, pod_env = _get_deployment(ports), _read_own_env(ports)
        job = render_precache_job(deployment, _make_owner(context), image=ports.precache_image, pod_env=pod_env)
        _replace_config_map(ports.client, config_map)
        _create_once(ports.client, job)
    except (errors.ApiError, ClusterFactsError, OSError) as error:
        raise LaunchError(f"failed to launch precaching job: {error}") from error


def _list_images(context: StageContext) -> list[str]:
    ports = context.ports
    deployment = ports.client.get(DEPLOYMENT, "cluster-version-operator", "openshift-cluster-version")
    cluster_registry = get_registry(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    seed = _read_seed_info(context)
    path = ports.root.path(IMAGE_LIST_FILE)
    try:
        images = read_image_list(path.read_text())
    except UnicodeDecodeError as error:
        raise SeedFormatError(f"failed to read pre-caching image file: {path}, {error}") from error
    override = needs_override(
        cluster_sources=list_mirror_sources(ports.client),
        seed_has_mirror=seed.mirror_registry_configured,
        seed_registry=seed.release_registry,
    )
    if not override:
        return images
    return override_registry(images, seed_registry=seed.release_registry, cluster_registry=cluster_registry)


def _read_seed_info(context: StageContext) -> SeedClusterInfo:
    path = context.ports.root.path(f"{stateroot_path(context.cr.desired_stateroot)}/{SEED_DATA}/{MANIFEST}")
    prefix = "failed to read seed info: failed to create seed cluster info from file"
    try:
        return SeedClusterInfo.parse(path.read_bytes())
    except OSError as error:
        raise SeedFormatError(f"{prefix} open {path}: {(error.strerror or '').lower()}") from error
    except SeedFormatError as error:
        raise SeedFormatError(f"{prefix} {path}: {error}") from error


def _read_own_env(ports: Ports) -> list[dict[str, Any]]:
    pod = ports.client.get(POD, ports.pod_name, ports.namespace)
    return list(find_manager(pod["spec"]).get("env") or ())


def _get_deployment(ports: Ports) -> Object:
    try:
        return ports.client.get(DEPLOYMENT, DEPLOYMENT_NAME, ports.namespace)
    except errors.NotFound as error:
        raise RenderError(f"failed to get {DEPLOYMENT_NAME} deployment: {error}") from error


def _create_once(client: Client, obj: Object) -> None:
    try:
        client.create(obj)
    except errors.AlreadyExists:
        # A pass that was killed between creating it and writing the status comes here again.
        return


def _replace_config_map(client: Client, config_map: Object) -> None:
    """Create the list, or replace what an earlier attempt left: stale content would be pulled in its place."""
    try:
        client.create(config_map)
    except errors.AlreadyExists:
        live = client.get(CONFIG_MAP, PRECACHE_CONFIG_MAP, config_map["metadata"]["namespace"])
        live["data"] = config_map["data"]
        client.update(live)


def _append_cause(text: str, ports: Ports, job: str) -> str:
    """Add the last line that the Job's pod left behind, if there is one: the cause, without a walk through its logs."""
    pods = ports.client.list(POD, ports.namespace, labels=f"job-name={job}")
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            message = ((status.get("state") or {}).get("terminated") or {}).get("message") or ""
            if cause := find_cause(message):
                return f"{text}: {cause}"
    return text


def find_cause(log: str) -> str:
    """Return the last line of a log; with the one before it when a command's own words end in a line break."""
    lines = log.strip().splitlines()
    last = "".join(lines[-2:]) if lines and lines[-1].startswith(": exit status") else "".join(lines[-1:])
    return last[-_CAUSE_CHARACTERS:]
