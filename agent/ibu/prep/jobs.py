"""The two Jobs of Prep, rendered from the operator's own Deployment (prep.md 6 and 8). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

DEPLOYMENT_NAME = "lifecycle-agent-controller-manager"
CONTAINER_NAME = "manager"
STATEROOT_JOB = "lca-prep-stateroot-setup"
STATEROOT_FINALIZER = "lca.openshift.io/stateroot-setup-finalizer"
PRECACHE_JOB = "lca-prep-precache"
PRECACHE_FINALIZER = "lca.openshift.io/precache-finalizer"
PRECACHE_CONFIG_MAP = "lca-prep-precache"
PRECACHE_LIST_KEY = "images.txt"
PRECACHE_IMAGE_ENV = "PRECACHE_WORKLOAD_IMG"

_MANAGEMENT = {"target.workload.openshift.io/management": '{"effect": "PreferredDuringScheduling"}'}
_STATEROOT_GRACE_SECONDS = 1800
_FROM_MANAGER = ("image", "imagePullPolicy", "env", "envFrom", "securityContext", "volumeMounts", "resources")
_FROM_POD = ("hostPID", "serviceAccountName", "volumes")


class RenderError(ValueError):
    """The operator's Deployment or environment lacks what a Job is made of."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The upgrade resource a Job belongs to."""

    name: str
    uid: str

    def reference(self) -> Object:
        """Return the controller reference that lets a change of the Job wake the controller."""
        return {
            "apiVersion": "lca.openshift.io/v1",
            "kind": "ImageBasedUpgrade",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


def render_stateroot_job(deployment: Mapping[str, Any], owner: Owner) -> Object:
    """Return the Job that builds the new stateroot; it runs the operator's image in the operator's environment.

    Raises RenderError when the Deployment has no `manager` container.
    """
    pod = deployment["spec"]["template"]["spec"]
    manager = find_manager(pod)
    container = {
        "name": STATEROOT_JOB,
        "command": ["lca-node", "stateroot-setup"],
        # The last log line becomes the termination message, which the condition quotes when the Job fails.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **{key: manager[key] for key in _FROM_MANAGER if key in manager},
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _STATEROOT_GRACE_SECONDS,
        **{key: pod[key] for key in _FROM_POD if key in pod},
        "containers": [container],
    }
    return _render_job(
        STATEROOT_JOB, deployment["metadata"]["namespace"], STATEROOT_JOB, STATEROOT_FINALIZER, owner, spec
    )


def render_precache_job(
    deployment: Mapping[str, Any], owner: Owner, *, image: str | None, pod_env: Sequence[Mapping[str, Any]]
) -> Object:
    """Return the Job that pulls the seed's images into the container storage.

    `image`: value of PRECACHE_WORKLOAD_IMG; `pod_env`: the plain variables of the operator's own Pod, through which
    users tune the workload. Raises RenderError without an image.
    """
    if not image:
        raise RenderError(f"failed to render precaching job manifest missing {PRECACHE_IMAGE_ENV} environment variable")
    container = {
        "name": "workload",
        "image": image,
        # The operator runs from this image, so the node has it.
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "--"],
        "args": ["nice -n 0 ionice -c 2 -n 4 lca-node precache"],
        "env": _precache_env(pod_env),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"privileged": True, "runAsUser": 0},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}, {"name": "image-list-cm", "mountPath": "/tmp/"}],  # noqa: S108 - contract with the workload
        "resources": {"requests": {"cpu": "10m", "memory": "512Mi"}},
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": deployment["spec"]["template"]["spec"].get("serviceAccountName"),
        "containers": [container],
        "volumes": [
            {"name": "host", "hostPath": {"path": "/", "type": "Directory"}},
            {"name": "image-list-cm", "configMap": {"name": PRECACHE_CONFIG_MAP, "defaultMode": 0o644}},
        ],
    }
    namespace = deployment["metadata"]["namespace"]
    return _render_job(PRECACHE_JOB, namespace, "lifecycle-agent-precache", PRECACHE_FINALIZER, owner, spec)


def render_image_list(namespace: str, images: Sequence[str]) -> Object:
    """Return the ConfigMap with the images to pull, one per line."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": PRECACHE_CONFIG_MAP, "namespace": namespace},
        "data": {PRECACHE_LIST_KEY: "".join(f"{image}\n" for image in images)},
    }


def find_manager(pod_spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the operator's container. Raises RenderError."""
    for container in pod_spec.get("containers", ()):
        if container.get("name") == CONTAINER_NAME:
            assert isinstance(container, dict)
            return container
    raise RenderError("no 'manager' container found in deployment")


def _precache_env(pod_env: Sequence[Mapping[str, Any]]) -> list[Object]:
    plain = [{"name": e["name"], "value": e.get("value", "")} for e in pod_env if "valueFrom" not in e]
    given = {entry["name"] for entry in plain}
    defaults = [] if "MAX_PULL_THREADS" in given else [{"name": "MAX_PULL_THREADS", "value": "10"}]
    path = {"name": "PRECACHE_SPEC_FILE", "value": f"/tmp/{PRECACHE_LIST_KEY}"}  # noqa: S108 - contract with the workload
    return [*plain, path, *defaults]


def _render_job(name: str, namespace: str, label: str, finalizer: str, owner: Owner, pod_spec: Object) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"app.kubernetes.io/name": label},
            "finalizers": [finalizer],
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": {"annotations": _MANAGEMENT}, "spec": pod_spec},
        },
    }
