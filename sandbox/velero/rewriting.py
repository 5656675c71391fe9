"""How a restored object differs from the one in the backup; pure."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from agent.kube import Object

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
_OWN_METADATA = (
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "managedFields",
)
_BINDING = ("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller")


def strip_object(obj: Object) -> Object:
    """A copy without status and without what a server gives to each object of its own."""
    stripped = copy.deepcopy(obj)
    stripped.pop("status", None)
    for name in _OWN_METADATA:
        stripped["metadata"].pop(name, None)
    return stripped


def unbind(obj: Object) -> None:
    """Let a volume or claim be bound again: the claim gets a new uid."""
    claim = (obj.get("spec") or {}).get("claimRef") or {}
    claim.pop("uid", None)
    claim.pop("resourceVersion", None)
    for name in _BINDING:
        (obj["metadata"].get("annotations") or {}).pop(name, None)


def is_finished(type_name: str, obj: Object) -> bool:
    """Whether there is nothing left to run: finished Pods and Jobs are not restored."""
    status = obj.get("status") or {}
    if type_name == "pods":
        return status.get("phase") in ("Succeeded", "Failed")
    return type_name == "jobs.batch" and bool(status.get("completionTime"))


def rewrite(type_name: str, obj: Object) -> None:
    """Remove what belongs to the old cluster from an object of this type."""
    if special := _BY_TYPE.get(type_name):
        special(obj)


def _rewrite_pod(pod: Object) -> None:
    spec = pod["spec"]
    spec.pop("nodeName", None)
    spec.pop("priority", None)
    account = spec.get("serviceAccountName") or "default"
    token = f"{account}-token-"
    spec["volumes"] = [v for v in spec.get("volumes") or () if not _is_token(v["name"], token)]
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        mounts = container.get("volumeMounts") or ()
        container["volumeMounts"] = [m for m in mounts if not _is_token(m["name"], token)]


def _is_token(volume: str, prefix: str) -> bool:
    return volume.startswith((prefix, "kube-api-access-"))


def _rewrite_job(job: Object) -> None:
    labels = (job["spec"].get("template", {}).get("metadata") or {}).get("labels") or {}
    selected = (job["spec"].get("selector") or {}).get("matchLabels") or {}
    for name in ("controller-uid", "batch.kubernetes.io/controller-uid"):
        labels.pop(name, None)
        selected.pop(name, None)
        (job["metadata"].get("labels") or {}).pop(name, None)


def _rewrite_service(service: Object) -> None:
    spec = service["spec"]
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for port in spec.get("ports") or ():
        port.pop("nodePort", None)
    spec.pop("healthCheckNodePort", None)


def _rewrite_service_account(account: Object) -> None:
    token = f"{account['metadata']['name']}-token-"
    account["secrets"] = [s for s in account.get("secrets") or () if not s["name"].startswith(token)]


_BY_TYPE: dict[str, Callable[[Object], None]] = {
    "pods": _rewrite_pod,
    "jobs.batch": _rewrite_job,
    "services": _rewrite_service,
    "serviceaccounts": _rewrite_service_account,
}


def merge_service_account(live: Object, wanted: Object) -> Object:
    """The live account with the secrets, labels and annotations of the wanted one added."""
    merged = copy.deepcopy(live)
    for name in ("secrets", "imagePullSecrets"):
        have = live.get(name) or []
        if added := [item for item in wanted.get(name) or () if item not in have]:
            merged[name] = [*have, *added]
    for name in ("labels", "annotations"):
        both = {**(wanted["metadata"].get(name) or {}), **(live["metadata"].get(name) or {})}
        if both:
            merged["metadata"][name] = both
    return merged


def make_patch(old: Any, new: Any) -> Any:
    """The JSON merge patch that turns the mapping `old` into `new`."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif value != old[key]:
            both_maps = isinstance(value, dict) and isinstance(old[key], dict)
            patch[key] = make_patch(old[key], value) if both_maps else value
    return patch
