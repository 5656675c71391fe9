"""What vg-manager, the topolvm node and the external provisioner do, in one loop."""

from __future__ import annotations

from pathlib import Path

from agent.kube import Client, Event, Kind, Object, errors
from sandbox.cluster.following import Stopping
from sandbox.controller import Handler, run_controller
from sandbox.lvms.volumes import DEFAULT_GROUP, LOGICAL_VOLUME, Disk, group_of

DRIVER = "topolvm.io"
FINALIZER = "topolvm.io/logicalvolume"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
LVCREATE_SECONDS = 0.5
"""How long a new LogicalVolume waits for its volume. As on a node it must be longer than Velero needs between creating
a LogicalVolume and writing its status back; whoever writes first decides which content is found."""

CLAIM = Kind("", "v1", "PersistentVolumeClaim")
VOLUME = Kind("", "v1", "PersistentVolume")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass")
LVM_CLUSTER = Kind("lvm.topolvm.io", "v1alpha1", "LVMCluster")
VOLUME_GROUP = Kind("lvm.topolvm.io", "v1alpha1", "LVMVolumeGroup")
GROUP_NODE_STATUS = Kind("lvm.topolvm.io", "v1alpha1", "LVMVolumeGroupNodeStatus")


class LvmsDriver:
    """LVM Storage of one node with its volumes below `folder`."""

    def __init__(self, client: Client, folder: Path, node_name: str) -> None:
        self._client = client
        self._disk = Disk(folder)
        self._node_name = node_name

    def run(self, stop: Stopping) -> None:
        """Work until `stop` is set or the client is closed."""
        handlers: dict[Kind, Handler] = {
            CLAIM: self._provision,
            VOLUME: self._reclaim,
            LOGICAL_VOLUME: self._realise,
            LVM_CLUSTER: self._set_up,
        }
        run_controller(self._client, handlers, stop, delay_of=_delay_of)

    # claim -> LogicalVolume -> PersistentVolume

    def _provision(self, name: str, namespace: str | None) -> float | None:
        claim = self._client.find(CLAIM, name, namespace)
        if claim is None or claim["spec"].get("volumeName") or claim["metadata"].get("deletionTimestamp"):
            return None
        class_name = claim["spec"].get("storageClassName")
        storage_class = self._client.find(STORAGE_CLASS, class_name) if class_name else None
        if storage_class is None or storage_class["provisioner"] != DRIVER:
            return None
        chosen = SELECTED_NODE in (claim["metadata"].get("annotations") or {})
        if storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" and not chosen:
            return None
        volume_name = f"pvc-{claim['metadata']['uid']}"
        logical = self._client.find(LOGICAL_VOLUME, volume_name)
        if logical is None:
            logical = self._client.create(self._logical_volume(volume_name, claim, storage_class))
        volume_id = _volume_id(logical)
        if volume_id is None:
            return LVCREATE_SECONDS
        try:
            self._client.create(self._persistent_volume(volume_name, volume_id, claim, storage_class))
        except errors.AlreadyExists:  # made before; the controller manager is about to bind it
            return None
        return None

    def _logical_volume(self, name: str, claim: Object, storage_class: Object) -> Object:
        spec = {
            "name": name,
            "nodeName": self._node_name,
            "deviceClass": (storage_class.get("parameters") or {}).get("topolvm.io/device-class", DEFAULT_GROUP),
            "size": claim["spec"]["resources"]["requests"]["storage"],
        }
        metadata = {"name": name, "finalizers": [FINALIZER]}
        return {"apiVersion": LOGICAL_VOLUME.api_version, "kind": "LogicalVolume", "metadata": metadata, "spec": spec}

    def _persistent_volume(self, name: str, volume_id: str, claim: Object, storage_class: Object) -> Object:
        metadata = claim["metadata"]
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": metadata["name"]}
        node = {"key": "topology.topolvm.io/node", "operator": "In", "values": [self._node_name]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {PROVISIONED_BY: DRIVER}},
            "spec": {
                "accessModes": claim["spec"]["accessModes"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "claimRef": {**reference, "namespace": metadata["namespace"], "uid": metadata["uid"]},
                "csi": {
                    "driver": DRIVER,
                    "volumeHandle": volume_id,
                    "fsType": (storage_class.get("parameters") or {}).get("csi.storage.k8s.io/fstype", "xfs"),
                },
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
                "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
                "storageClassName": storage_class["metadata"]["name"],
                "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
            },
        }

    def _realise(self, name: str, _: str | None) -> float | None:
        """Give a LogicalVolume its volume, or take it away when the object is deleted."""
        volume = self._client.find(LOGICAL_VOLUME, name)
        if volume is None:
            return None
        volume_id = _volume_id(volume)
        if volume["metadata"].get("deletionTimestamp"):
            if FINALIZER in (volume["metadata"].get("finalizers") or ()):
                if volume_id:
                    self._disk.remove(group_of(volume), volume_id)
                kept = [name for name in volume["metadata"]["finalizers"] if name != FINALIZER]
                self._client.patch_merge(LOGICAL_VOLUME, name, {"metadata": {"finalizers": kept}})
            return None
        if volume_id is None:
            fresh_id = volume["metadata"]["uid"]
            self._disk.create(group_of(volume), fresh_id)
            status = {"volumeID": fresh_id, "currentSize": volume["spec"]["size"]}
            try:
                self._client.update_status({**volume, "status": status})
            except errors.Conflict:  # somebody, for example Velero, has just written it: look again
                self._disk.remove(group_of(volume), fresh_id)
                return 0.0
        return None

    def _reclaim(self, name: str, _: str | None) -> float | None:
        """Delete a released volume of ours if its policy says so; the LogicalVolume takes the content along."""
        volume = self._client.find(VOLUME, name)
        if volume is None or (volume["spec"].get("csi") or {}).get("driver") != DRIVER:
            return None
        released = (volume.get("status") or {}).get("phase") == "Released"
        if not released or volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
            return None
        handle = volume["spec"]["csi"]["volumeHandle"]
        for logical in self._client.list(LOGICAL_VOLUME):
            if _volume_id(logical) == handle:
                self._client.delete(LOGICAL_VOLUME, logical["metadata"]["name"])
        self._client.delete(VOLUME, name)
        return None

    # LVMCluster -> volume groups, storage classes

    def _set_up(self, name: str, namespace: str | None) -> float | None:
        """Make what an LVMCluster asks for; its devices are taken for granted."""
        cluster = self._client.find(LVM_CLUSTER, name, namespace)
        if cluster is None or cluster["metadata"].get("deletionTimestamp"):
            return None
        classes = (cluster["spec"].get("storage") or {}).get("deviceClasses") or []
        for device_class in classes:
            self._create_missing(_volume_group(device_class, cluster))
            self._create_missing(_storage_class(device_class))
        ready = [{"name": item["name"], "nodeStatus": [self._group_status(item)]} for item in classes]
        node_status = {"nodeStatus": [{"name": item["name"], "status": "Ready"} for item in classes]}
        self._create_missing(
            {
                "apiVersion": GROUP_NODE_STATUS.api_version,
                "kind": GROUP_NODE_STATUS.kind,
                "metadata": {"name": self._node_name, "namespace": namespace},
                "spec": node_status,
            }
        )
        status = {"ready": True, "state": "Ready", "deviceClassStatuses": ready}
        if (cluster.get("status") or {}) != status:
            self._client.update_status({**cluster, "status": status})
        return None

    def _group_status(self, device_class: Object) -> Object:
        paths = (device_class.get("deviceSelector") or {}).get("paths") or ["/dev/vdb"]
        return {"node": self._node_name, "name": device_class["name"], "status": "Ready", "devices": paths}

    def _create_missing(self, obj: Object) -> None:
        try:
            self._client.create(obj)
        except errors.AlreadyExists:
            return


def _delay_of(event: Event) -> float:
    fresh = Kind.of(event.object) == LOGICAL_VOLUME and event.type == "ADDED" and not _volume_id(event.object)
    return LVCREATE_SECONDS if fresh else 0.0


def _volume_id(volume: Object) -> str | None:
    return (volume.get("status") or {}).get("volumeID") or None


def _volume_group(device_class: Object, cluster: Object) -> Object:
    parts = ("default", "deviceSelector", "nodeSelector", "thinPoolConfig")
    return {
        "apiVersion": VOLUME_GROUP.api_version,
        "kind": VOLUME_GROUP.kind,
        "metadata": {"name": device_class["name"], "namespace": cluster["metadata"]["namespace"]},
        "spec": {part: device_class[part] for part in parts if part in device_class},
    }


def _storage_class(device_class: Object) -> Object:
    default = {"storageclass.kubernetes.io/is-default-class": "true"} if device_class.get("default") else {}
    return {
        "apiVersion": STORAGE_CLASS.api_version,
        "kind": STORAGE_CLASS.kind,
        "metadata": {"name": f"lvms-{device_class['name']}", "annotations": default},
        "provisioner": DRIVER,
        "parameters": {
            "csi.storage.k8s.io/fstype": device_class.get("fstype") or "xfs",
            "topolvm.io/device-class": device_class["name"],
        },
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
