"""Exports what lets the new release find local volumes again (upgrade-and-oadp.md 9.4)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.target import locate, repeated, write_manifest
from agent.kube import Client, Kind, Object, errors
from agent.velero.apply_label import LABEL
from agent.velero.portable import make_portable
from agent.workflow.outcome import Done, Outcome
from hostops.files import copy_atomically
from seeds.cluster import list_served
from seeds.handover import CLUSTER_MANIFESTS, LVM_CONFIGURATION, LVM_DEVICES, replace_tree
from seeds.identity import IdentityError

LOCAL_VOLUME = Kind("local.storage.openshift.io", "v1", "LocalVolume")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass")
HOST_LVM_DEVICES = "/etc/lvm/devices/system.devices"


def export_local_storage(context: StageContext) -> Outcome:
    """Write the list of LVM's devices, and the LocalVolumes with their StorageClasses; the volumes stay on disk."""
    with repeated("error while fetching LVM configuration"):
        manifests = read_local_volumes(context.ports.client)
        devices = context.ports.root.resolve(HOST_LVM_DEVICES)

        def write(fresh: Path) -> None:
            if devices.exists():
                copy_atomically(devices, fresh / Path(LVM_DEVICES).name)

        replace_tree(locate(context, LVM_CONFIGURATION), write)
        for name, manifest in manifests.items():
            write_manifest(locate(context, CLUSTER_MANIFESTS), name, manifest)
    return Done()


def read_local_volumes(client: Client) -> dict[str, Object]:
    """Return file name -> manifest; none where local storage is not installed. Raises ApiError, IdentityError."""
    volumes = list_served(client, LOCAL_VOLUME)
    classes = {name: _read_class(client, name) for name in list_class_names(volumes)}
    manifests = {
        f"LocalVolume_{volume['metadata']['name']}_{volume['metadata']['namespace']}.json": make_local_volume(volume)
        for volume in volumes
    }
    return manifests | {f"StorageClass_{name}_.json": make_portable(found) for name, found in classes.items()}


def list_class_names(volumes: Iterable[Object]) -> list[str]:
    """Return the StorageClasses that the LocalVolumes name, each once. Pure."""
    devices = [device for volume in volumes for device in (volume.get("spec") or {}).get("storageClassDevices") or ()]
    return list(dict.fromkeys(device["storageClassName"] for device in devices if device.get("storageClassName")))


def make_local_volume(volume: Object) -> Object:
    """Return a LocalVolume without what only this cluster's controllers and Backups have put on it. Pure."""
    manifest = make_portable(volume)
    metadata = manifest["metadata"]
    metadata.pop("finalizers", None)
    if LABEL in (metadata.get("labels") or {}):
        metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key != LABEL}
    return manifest


def _read_class(client: Client, name: str) -> Object:
    try:
        found = client.get(STORAGE_CLASS, name)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        raise IdentityError(f"failed to get storageclass {name}: {error}") from error
    return {"apiVersion": STORAGE_CLASS.api_version, "kind": STORAGE_CLASS.kind, **found}
