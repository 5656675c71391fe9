"""The cluster of recorded runs: a real API server without controllers, whose objects are made anew for each run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from agent.kube import Client, Kind, errors
from crds import generate
from sandbox.cluster.content.kinds import expand_kind
from sandbox.controlplane import ControlPlane
from sandbox.controlplane.kubeconfig import write_kubeconfig
from sandbox.velero import definitions as velero
from tools.recorded_runs.certificates import make_certificate
from tools.recorded_runs.state import Object

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NAMESPACE = "openshift-lifecycle-agent"
ACCOUNT = "lifecycle-agent-controller-manager"

_REPOSITORY = Path(__file__).parents[2]
_CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
_NAMESPACE_KIND = Kind("", "v1", "Namespace")
_KINDS = {
    "config.openshift.io/v1": (
        "APIServer ClusterOperator ClusterVersion ImageDigestMirrorSet Infrastructure Network Proxy"
    ),
    "machineconfiguration.openshift.io/v1": "MachineConfig MachineConfigPool",
    "operator.openshift.io/v1alpha1": "ImageContentSourcePolicy",
    "operators.coreos.com/v1alpha1": "ClusterServiceVersion Subscription",
}
# What may be there or not; the names are those of recordings.
_ON_DEMAND = {
    "certificates": "cert-manager.io/v1 Certificate",
    "dataprotectionapplications": "oadp.openshift.io/v1alpha1 DataProtectionApplication",
    "localvolumes": "local.storage.openshift.io/v1 LocalVolume",
    "lvmclusters": "lvm.topolvm.io/v1alpha1 LVMCluster",
    "policies": "policy.open-cluster-management.io/v1 Policy",
    "sriovnetworknodestates": "sriovnetwork.openshift.io/v1 SriovNetworkNodeState",
}
_VELERO = ("backups", "restores", "deletebackuprequests", "backupstoragelocations")
_NAMESPACED = {"operators.coreos.com", *(name.partition("/")[0] for name in _ON_DEMAND.values())} - {"lvm.topolvm.io"}
_PLURALS = {"Proxy": "proxies", "ImageContentSourcePolicy": "imagecontentsourcepolicies", "Policy": "policies"}
_BUILT_IN = (
    *(Kind("", "v1", kind) for kind in ("ConfigMap", "Secret", "Pod", "Node", "PersistentVolume")),
    Kind("apps", "v1", "Deployment"),
    Kind("batch", "v1", "Job"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy"),
    Kind("storage.k8s.io", "v1", "StorageClass"),
)
_KEPT = {("kube-system", "extension-apiserver-authentication")}
_SYSTEM_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease"}
_WAIT_SECONDS = 60.0


class RecordedCluster:
    """A running API server; `fixtures` are the objects that exist by default."""

    def __init__(self, plane: ControlPlane, client: Client, token: str, fixtures: Sequence[Object]) -> None:
        self.client = client
        self.token = token
        self.admin_kubeconfig = plane.admin_kubeconfig
        self.operator_kubeconfig = plane.directory / "operator.kubeconfig"
        self._plane = plane
        self._fixtures = [_complete(fixture) for fixture in fixtures]
        self._optional: dict[str, list[Object]] = {name: [_open_crd(text)] for name, text in _ON_DEMAND.items()}
        self._optional["velero"] = [crd for crd in velero.crd_documents() if crd["spec"]["names"]["plural"] in _VELERO]
        self._present: set[str] = set()

    @classmethod
    @contextmanager
    def start(cls, directory: Path, fixtures: Sequence[Object]) -> Iterator[RecordedCluster]:
        """Start a cluster that has OpenShift's kinds and the operator's rights."""
        plane = ControlPlane(directory, controllers=None)
        token = plane.add_token("recorder", ("system:masters",))
        with plane, Client.connect(plane.admin_kubeconfig) as client:
            cluster = cls(plane, client, token, fixtures)
            version = client.version()
            knows_cel = (int(version["major"]), int(version["minor"].rstrip("+"))) >= (1, 25)
            folder = generate.FOLDER if knows_cel else generate.FOLDER / "legacy"
            own = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
            openshift = [_open_crd(f"{version} {kind}") for version, kinds in _KINDS.items() for kind in kinds.split()]
            cluster._install([*own, *openshift])
            cluster._grant_rights()
            yield cluster

    def reset(self, extra_crds: Collection[str]) -> None:
        """Leave nothing but the fixtures, and of the kinds on demand exactly `extra_crds`."""
        unknown = set(extra_crds) - set(self._optional)
        assert not unknown, f"CRDs that nobody knows here: {', '.join(sorted(unknown))}"
        self.wipe()
        gone, missing = self._present - set(extra_crds), set(extra_crds) - self._present
        self._remove([crd for name in gone for crd in self._optional[name]])
        self._install([crd for name in missing for crd in self._optional[name]])
        self._present = set(extra_crds)
        self.make_fixtures()

    def wipe(self) -> None:
        """Delete all objects that a run may have made or changed."""
        for kind in self._list_kinds():
            for obj in self.client.list(kind):
                if (obj["metadata"].get("namespace"), obj["metadata"]["name"]) not in _KEPT:
                    self.remove(obj)
        wanted = {fixture["metadata"]["name"] for fixture in self._fixtures if fixture["kind"] == "Namespace"}
        for obj in self.client.list(_NAMESPACE_KIND):
            if obj["metadata"]["name"] not in wanted | _SYSTEM_NAMESPACES:
                self._remove_namespace(obj)

    def make_fixtures(self) -> None:
        """Create what exists by default."""
        for fixture in self._fixtures:
            if fixture["kind"] != "Namespace" or not self.client.find(_NAMESPACE_KIND, fixture["metadata"]["name"]):
                self.apply(fixture)

    # objects

    def kind(self, name: str) -> Kind:
        """The kind of this name; recordings name kinds without their group."""
        found = [kind for kind in (*self._list_kinds(), IBU, _NAMESPACE_KIND) if kind.kind == name]
        assert found, f"no kind {name} is served"
        return found[0]

    def find(self, kind: str, name: str) -> Object:
        """The object that a recording calls by kind and name (or namespace/name); waits until it exists."""
        namespace, _, name = name.rpartition("/")
        return self.wait_for(self.kind(kind), lambda obj: obj["metadata"]["name"] == name, namespace or None)

    def wait_for(self, kind: Kind, matches: Callable[[Object], bool], namespace: str | None = None) -> Object:
        """The first object that matches, waiting for it."""
        with self.client.watch(kind, namespace, timeout_seconds=_WAIT_SECONDS) as watch:
            for event in watch:
                if event.type != "DELETED" and matches(event.object):
                    return event.object
        raise TimeoutError(f"no such {kind} appeared within {_WAIT_SECONDS} s")

    def apply(self, obj: Object) -> Object:
        """Create or replace an object, with its status."""
        metadata = obj["metadata"]
        live = self.client.find(Kind.of(obj), metadata["name"], metadata.get("namespace"))
        if live is None:
            made = self.client.create(obj)
        else:
            version = {"resourceVersion": live["metadata"]["resourceVersion"]}
            made = self.client.update({**obj, "metadata": {**metadata, **version}})
        if obj.get("status") and made.get("status") != obj["status"]:
            made = self.client.update_status({**made, "status": obj["status"]})
        return made

    def patch(self, obj: Object, patch: Object) -> Object:
        """Merge `patch` into an object, also into its status."""
        kind, metadata = Kind.of(obj), obj["metadata"]
        where = (metadata["name"], patch, metadata.get("namespace"))
        answer = self.client.patch_merge(kind, *where)
        if "status" in patch and kind in (*_BUILT_IN, IBU):
            answer = self.client.patch_merge(kind, *where, subresource="status")
        return answer

    def remove(self, obj: Object) -> None:
        """Delete an object at once, whatever it waits for."""
        kind, name, namespace = Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace")
        if kind == _NAMESPACE_KIND:
            self._remove_namespace(obj)
            return
        try:
            if obj["metadata"].get("finalizers"):
                self.client.patch_merge(kind, name, {"metadata": {"finalizers": None}}, namespace)
            self.client.delete(kind, name, namespace)
        except errors.NotFound:
            return

    def kubectl(self, *argv: str) -> str:
        """What kubectl prints, as administrator. Raises CalledProcessError."""
        program = self._plane.binaries.kubectl
        assert program, "kubectl is missing: run `make setup`"
        environment = {**os.environ, "KUBECONFIG": str(self.admin_kubeconfig)}
        return subprocess.run([program, *argv], env=environment, capture_output=True, text=True, check=True).stdout

    # inside

    def _list_kinds(self) -> list[Kind]:
        optional = [crd for name in self._present for crd in self._optional[name]]
        openshift = [
            Kind.of({"apiVersion": version, "kind": kind})
            for version, kinds in _KINDS.items()
            for kind in kinds.split()
        ]
        return [*_BUILT_IN, *openshift, *map(_served_kind, optional), IBU]

    def _install(self, crds: Sequence[Object]) -> None:
        for crd in crds:
            self.client.create(crd)
        for crd in crds:
            self._await_crd(crd, _is_established)

    def _remove(self, crds: Sequence[Object]) -> None:
        for crd in crds:
            self.client.delete(_CRD, crd["metadata"]["name"])
        for crd in crds:
            self._await_crd(crd, lambda obj: obj is None)

    def _await_crd(self, crd: Object, reached: Callable[[Object | None], bool]) -> None:
        name = crd["metadata"]["name"]
        found, version = self.client.list_with_version(_CRD, fields=f"metadata.name={name}")
        if reached(found[0] if found else None):
            return
        with self.client.watch(_CRD, name=name, resource_version=version, timeout_seconds=_WAIT_SECONDS) as watch:
            if not any(reached(None if event.type == "DELETED" else event.object) for event in watch):
                raise TimeoutError(f"CRD {name} never became what it should")

    def _remove_namespace(self, obj: Object) -> None:
        """Delete a namespace without the controller that would empty it; what is in it stays."""
        name = obj["metadata"]["name"]
        if not obj["metadata"].get("deletionTimestamp"):
            self.client.delete(_NAMESPACE_KIND, name)
        live = self.client.find(_NAMESPACE_KIND, name)
        if live is not None:
            body = {**live, "spec": {"finalizers": []}}
            self.client.request("PUT", f"/api/v1/namespaces/{name}/finalize", body=body)

    def _grant_rights(self) -> None:
        """Make the operator's account with the rights that deploy/ grants."""
        for manifest in yaml.safe_load_all(self.kubectl("kustomize", str(_REPOSITORY / "deploy"))):
            wanted = manifest["kind"] in ("Namespace", "ServiceAccount") or "rbac" in manifest["apiVersion"]
            if wanted and manifest["metadata"].get("namespace", NAMESPACE) == NAMESPACE:
                self.client.create(manifest)
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.client.request("POST", path, body=body)["status"]["token"]
        write_kubeconfig(
            self.operator_kubeconfig,
            server=self._plane.server,
            ca_pem=self._plane.ca_file.read_bytes(),
            user=ACCOUNT,
            token=token,
        )


def _open_crd(text: str) -> Object:
    """The CRD of `<group>/<version> <kind>` that keeps every field; its status is no subresource."""
    group_version, kind = text.split()
    group, version = group_version.split("/")
    shared = {"group": group, "version": version, "namespaced": group in _NAMESPACED}
    entry = {"kind": kind, "status": False}
    return expand_kind(shared, entry | ({"plural": _PLURALS[kind]} if kind in _PLURALS else {}))


def _served_kind(crd: Object) -> Kind:
    spec = crd["spec"]
    return Kind(spec["group"], spec["versions"][0]["name"], spec["names"]["kind"])


def _is_established(crd: Object | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _complete(fixture: Object) -> Object:
    """Put real values in the places of `<...>`: certificates by their subject, and an id."""

    def fill(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, str) and value.startswith("<PEM certificate with subject CN="):
            return make_certificate(value.rpartition("CN=")[2].rstrip(">"))
        return "00000000-0000-0000-0000-000000000001" if value == "<uid>" else value

    filled = fill(fixture)
    assert isinstance(filled, dict)
    return filled
