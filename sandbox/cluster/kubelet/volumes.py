"""The volumes of one Pod: every kind becomes a folder or file of the node that containers bind.

ConfigMaps, Secrets, downward values and tokens lie below the Pod's own folder and are brought up to date by each
`prepare`;
claims lead through their PersistentVolume to a folder of the logical volumes' disk, host paths to the node's own tree.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from agent.kube import Client, Kind, Object
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.kubelet.downward import PodConfigError, field_value, resource_value, service_account
from sandbox.cluster.kubelet.environment import all_containers
from sandbox.cluster.kubelet.files import Content, write_payload
from sandbox.cluster.kubelet.sources import ApiSources
from sandbox.lvms import VolumeNotFoundError, find_volume

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
TOKEN_VOLUME = "sandbox-service-account"  # noqa: S105 - a volume's name
_TOKEN_SECONDS = 3607
_TOKEN_REFRESH_SHARE = 0.8
_CLAIM = Kind("", "v1", "PersistentVolumeClaim")
_VOLUME = Kind("", "v1", "PersistentVolume")
_SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount")
_HOST_PATH_CHECKS = {"Directory": Path.is_dir, "File": Path.is_file, "Socket": Path.is_socket}


class PodVolumes:
    """Volumes of one Pod. `prepare` may be repeated; it raises PodConfigError while something is missing."""

    def __init__(self, client: Client, config: ClusterConfig, allocatable: dict[str, str], pod: Object) -> None:
        self._client, self._config, self._allocatable, self._pod = client, config, allocatable, pod
        self.folder = config.node_root / "var/lib/kubelet/pods" / str(pod["metadata"]["uid"])
        self.paths: dict[str, Path] = {}
        """Where each volume lies on the node, by its name; filled by `prepare`."""
        self._sources = ApiSources(client, pod["metadata"]["namespace"])
        self._token_due: dict[str, float] = {}
        self._tokens: dict[str, str] = {}

    @property
    def changing(self) -> bool:
        """Whether any volume shows objects that may change."""
        kinds = ("configMap", "secret", "projected", "downwardAPI")
        return self._mounts_token() or any(kind in volume for volume in self._volumes() for kind in kinds)

    def prepare(self) -> None:
        """Make every volume, or bring it up to date."""
        paths = {volume["name"]: self._prepare_one(volume) for volume in self._volumes()}
        if self._mounts_token():
            paths[TOKEN_VOLUME] = self._prepare_one({"name": TOKEN_VOLUME, "projected": _token_projection()})
        self.paths = paths

    def remove(self) -> None:
        """Delete what belongs to the Pod alone."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def mounts_of(self, container: Object) -> list[Object]:
        """The container's volumeMounts, and the one of the service account that every Pod has by itself."""
        mounts = list(container.get("volumeMounts") or [])
        if self._mounts_token() and all(mount["mountPath"].rstrip("/") != TOKEN_FOLDER for mount in mounts):
            mounts.append({"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True})
        return mounts

    def _volumes(self) -> list[Object]:
        return self._pod["spec"].get("volumes") or []

    def _mounts_token(self) -> bool:
        spec = self._pod["spec"]
        own = any(
            m["mountPath"].rstrip("/") == TOKEN_FOLDER
            for c in all_containers(self._pod)
            for m in c.get("volumeMounts") or []
        )
        return spec.get("automountServiceAccountToken") is not False and not own

    def _prepare_one(self, volume: Object) -> Path:
        name = volume["name"]
        if "hostPath" in volume:
            return self._prepare_host_path(name, volume["hostPath"])
        if "persistentVolumeClaim" in volume:
            return self._find_claimed(name, volume["persistentVolumeClaim"]["claimName"])
        folder = self.folder / "volumes" / str(name)
        if "emptyDir" in volume:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)
            return folder
        if "projected" in volume:
            write_payload(folder, dict(self._project(name, volume["projected"])))
            return folder
        for source in ("configMap", "secret", "downwardAPI"):
            if source in volume:
                projection = {
                    "sources": [{source: volume[source]}],
                    "defaultMode": volume[source].get("defaultMode", 0o644),
                }
                write_payload(folder, dict(self._project(name, projection)))
                return folder
        kinds = ", ".join(key for key in volume if key != "name")
        raise PodConfigError(f'volume "{name}": a sandbox has no volumes of kind {kinds}')

    def _project(self, volume: str, projection: Object) -> Iterator[tuple[str, Content]]:
        mode = projection.get("defaultMode", 0o644)
        for source in projection.get("sources") or []:
            if reference := source.get("serviceAccountToken"):
                yield reference["path"], Content(self._token(reference).encode(), 0o600)
            elif reference := source.get("downwardAPI"):
                for item in reference.get("items") or []:
                    yield item["path"], Content(self._downward(item).encode(), int(item.get("mode", mode)))
            else:
                yield from self._keys(volume, source, mode)

    def _keys(self, volume: str, source: Object, mode: int) -> Iterator[tuple[str, Content]]:
        is_map = "configMap" in source
        reference = source["configMap"] if is_map else source["secret"]
        name = reference.get("name") or reference.get("secretName")
        what = "configmap" if is_map else "secret"
        if is_map and name == "kube-root-ca.crt":  # older servers have no controller that publishes it
            data: dict[str, bytes] | None = {"ca.crt": (self._config.pki / "ca.crt").read_bytes()}
        else:
            data = self._sources.config_map(name) if is_map else self._sources.secret(name)
        if data is None:
            if reference.get("optional"):
                return
            raise PodConfigError(f'volume "{volume}": {what} "{name}" not found')
        items = reference.get("items")
        for item in items if items is not None else [{"key": key, "path": key} for key in data]:
            if item["key"] in data:
                yield item["path"], Content(data[item["key"]], int(item.get("mode", mode)))
            elif not reference.get("optional"):
                raise PodConfigError(f'volume "{volume}": {what} "{name}" has no key {item["key"]}')

    def _downward(self, item: Object) -> str:
        if reference := item.get("fieldRef"):
            return field_value(self._pod, reference["fieldPath"])
        reference = item["resourceFieldRef"]
        container = next(c for c in all_containers(self._pod) if c["name"] == reference["containerName"])
        return resource_value(container, reference["resource"], reference.get("divisor"), self._allocatable)

    def _token(self, reference: Object) -> str:
        audience = reference.get("audience", "")
        if time.monotonic() < self._token_due.get(audience, 0):
            return self._tokens[audience]
        metadata, account = self._pod["metadata"], service_account(self._pod)
        lifetime = reference.get("expirationSeconds") or _TOKEN_SECONDS
        spec: Object = {"audiences": [audience] if audience else [], "expirationSeconds": lifetime}
        if self._pod["spec"].get("serviceAccountName"):  # the server refuses to bind to a Pod that does not name it
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
        if self._client.find(_SERVICE_ACCOUNT, account, metadata["namespace"]) is None:
            raise PodConfigError(f'serviceaccount "{account}" not found')
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        self._tokens[audience] = self._client.request("POST", path, body=body)["status"]["token"]
        self._token_due[audience] = time.monotonic() + lifetime * _TOKEN_REFRESH_SHARE
        return self._tokens[audience]

    def _prepare_host_path(self, name: str, source: Object) -> Path:
        path = self._config.node_root / str(source["path"]).lstrip("/")
        kind = source.get("type") or ""
        if kind == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.touch(exist_ok=True)
        elif kind in _HOST_PATH_CHECKS and not _HOST_PATH_CHECKS[kind](path):
            raise PodConfigError(
                f'volume "{name}": hostPath type check failed: {source["path"]} is not a {kind.lower()}'
            )
        elif not path.exists():
            path.mkdir(parents=True)  # as a container runtime does for a source that is not there
        return path

    def _find_claimed(self, name: str, claim_name: str) -> Path:
        claim = self._client.find(_CLAIM, claim_name, self._pod["metadata"]["namespace"])
        if claim is None:
            raise PodConfigError(f'persistentvolumeclaim "{claim_name}" not found')
        if (claim.get("status") or {}).get("phase") != "Bound":
            raise PodConfigError(f'volume "{name}": persistentvolumeclaim "{claim_name}" is not bound')
        volume = self._client.find(_VOLUME, claim["spec"]["volumeName"])
        if volume is None:
            raise PodConfigError(f'volume "{name}": persistentvolume "{claim["spec"]["volumeName"]}" not found')
        spec = volume["spec"]
        if "csi" in spec:
            return self._find_logical_volume(name, spec["csi"])
        local = spec.get("hostPath") or spec.get("local")
        if local is None:
            raise PodConfigError(f'volume "{name}": a sandbox can not mount {volume["metadata"]["name"]}')
        return self._prepare_host_path(name, local)

    def _find_logical_volume(self, name: str, csi: Object) -> Path:
        try:
            return find_volume(self._client, self._config.lvm_dir, csi["volumeHandle"])
        except VolumeNotFoundError as error:
            raise PodConfigError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error


def _token_projection() -> Object:
    own = {"path": "token", "expirationSeconds": _TOKEN_SECONDS}
    namespace = {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}
    ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    return {"sources": [{"serviceAccountToken": own}, {"configMap": ca}, {"downwardAPI": namespace}]}
