"""Real here: API server, controllers (they bind volumes), the S3 server in its own process, and the stand-ins for
Velero, OADP and LVM Storage as they run in a sandbox. The project's client plays the user; boto3 looks into the store.

One control plane and one store serve all tests of this folder; each test has its own namespace and names of Backups.
"""

from __future__ import annotations

import base64
import io
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.following import Stopping
from sandbox.controlplane import LEAN_CONTROLLERS, ControlPlane
from sandbox.controlplane.ports import choose_free_port
from sandbox.faults import Faults
from sandbox.lvms import LvmsDriver
from sandbox.lvms import crd_documents as lvms_crds
from sandbox.outside import ObjectStore, S3Credentials
from sandbox.velero import OADP_NAMESPACE, VeleroServer
from sandbox.velero import crd_documents as velero_crds
from tests.flow.velero.operator import Operator

CONTROLLERS = (*LEAN_CONTROLLERS, "persistentvolume-binder", "pvc-protection", "pv-protection")
WAIT_SECONDS = 60
FINAL = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


class Cluster:
    """What a user does with any object."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def put(self, kind: str, name: str, namespace: str | None = None, *, api: str = "v1", **content: Any) -> Object:
        """Create an object; `labels` and `annotations` go into its metadata."""
        metadata = {part: content.pop(part) for part in ("labels", "annotations", "finalizers") if part in content}
        metadata |= {"name": name, **({"namespace": namespace} if namespace else {})}
        return self.client.create({"apiVersion": api, "kind": kind, "metadata": metadata, **content})

    def put_once(self, kind: str, name: str, namespace: str | None = None, **content: Any) -> None:
        try:
            self.put(kind, name, namespace, **content)
        except errors.AlreadyExists:
            return

    def wait(
        self, kind: Kind, name: str, namespace: str | None, done: Callable[[Object], bool], *, gone: bool = False
    ) -> Object:
        """Wait until the object satisfies `done`; with `gone`, until it is deleted."""
        last: Object = {}
        with self.client.watch(kind, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
            if gone and self.client.find(kind, name, namespace) is None:
                return {}
            for event in watch:
                last = event.object
                if (event.type == "DELETED") if gone else (event.type != "DELETED" and done(last)):
                    return last
        raise AssertionError(f"{kind.kind} {name} did not get there in {WAIT_SECONDS} s: {last}")

    def wait_gone(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        self.wait(kind, name, namespace, lambda _: False, gone=True)

    def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete an object and wait until it is gone."""
        self.client.delete(kind, name, namespace)
        self.wait_gone(kind, name, namespace)


class Velero(Cluster):
    """What a user does with Velero, and a look into the store; `server` holds its running server."""

    def __init__(
        self, client: Client, store: ObjectStore, faults: Faults, run_server: Callable[[], Any], server: ExitStack
    ) -> None:
        super().__init__(client)
        self._run_server = run_server
        self._server = server
        self.store = store
        self.faults = faults
        self.s3 = boto3.client(
            "s3",
            endpoint_url=store.url,
            region_name="us-east-1",
            aws_access_key_id=store.credentials.access_key,
            aws_secret_access_key=store.credentials.secret_key,
        )

    def start(self) -> None:
        self._server.enter_context(self._run_server())
        self.until_phase("BackupStorageLocation", "dpa-1", "Available")

    def restart(self) -> None:
        """What was in progress is lost."""
        self._server.close()
        self.start()

    def create(self, kind: str, name: str, **spec: Any) -> Object:
        metadata = {part: spec.pop(part) for part in ("labels", "annotations") if part in spec}
        return self.put(kind, name, OADP_NAMESPACE, api="velero.io/v1", spec=spec, **metadata)

    def backup(self, name: str, **spec: Any) -> Object:
        """Create a Backup and return its status when it is in a final phase."""
        self.create("Backup", name, **spec)
        return self.until("Backup", name, lambda obj: phase_of(obj) in FINAL)["status"]

    def restore(self, name: str, backup: str | None = None, **spec: Any) -> Object:
        """Create a Restore and return its status when it is in a final phase."""
        self.create("Restore", name, backupName=backup or name, **spec)
        return self.until("Restore", name, lambda obj: phase_of(obj) in FINAL)["status"]

    def get(self, kind: str, name: str) -> Object:
        return self.client.get(Kind("velero.io", "v1", kind), name, OADP_NAMESPACE)

    def until(self, kind: str, name: str, done: Callable[[Object], bool], *, gone: bool = False) -> Object:
        return self.wait(Kind("velero.io", "v1", kind), name, OADP_NAMESPACE, done, gone=gone)

    def until_phase(self, kind: str, name: str, phase: str) -> Object:
        return self.until(kind, name, lambda obj: phase_of(obj) == phase)

    def keys(self, folder: str = "") -> list[str]:
        listing = self.s3.list_objects_v2(Bucket="backups", Prefix=f"sno/{folder}").get("Contents", [])
        return [item["Key"].removeprefix("sno/") for item in listing]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket="backups", Key=f"sno/{key}")["Body"].read()
        return body

    def archived(self, backup: str) -> set[str]:
        """The objects in a backup's tarball as `type/namespace/name` or `type/name`."""
        contents = io.BytesIO(self.read(f"backups/{backup}/{backup}.tar.gz"))
        with tarfile.open(fileobj=contents) as archive:
            paths = [name.removesuffix(".json").split("/") for name in archive.getnames()]
        return {"/".join([path[1], *path[3:]]) for path in paths if path[2:3] in (["namespaces"], ["cluster"])}


def phase_of(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase", ""))


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The administrator's kubeconfig of the cluster."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), controllers=CONTROLLERS) as plane:
        yield plane.admin_kubeconfig


@pytest.fixture(scope="session")
def client(kubeconfig: Path) -> Iterator[Client]:
    """The user's client; the cluster has OADP's and LVM Storage's CRDs."""
    with Client.connect(kubeconfig) as client:
        documents = [*velero_crds(), *lvms_crds()]
        for document in documents:
            client.create(document)
        for document in documents:
            Cluster(client).wait(Kind.of(document), document["metadata"]["name"], None, is_established)
        Cluster(client).put("Namespace", OADP_NAMESPACE)
        yield client


def is_established(crd: Object) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    directory = tmp_path_factory.mktemp("s3")
    credentials = S3Credentials("sandbox", "a secret")
    store = ObjectStore(directory, choose_free_port(), credentials=credentials, log_file=directory / "log")
    store.start()
    yield store
    store.stop()


@pytest.fixture
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(tmp_path_factory.mktemp("control") / "faults.json")


@contextmanager
def running(work: Callable[[Stopping], None]) -> Iterator[None]:
    stop = Stopping()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def run_server(client: Client, faults: Faults) -> Callable[[], Any]:
    """`with run_server():` runs Velero for so long."""
    return lambda: running(VeleroServer(client, faults=faults).run)


@pytest.fixture
def lvm(tmp_path: Path) -> Path:
    """The disk that survives pivots."""
    return tmp_path / "lvm"


@pytest.fixture
def run_driver(client: Client, lvm: Path) -> Callable[[], Any]:
    """`with run_driver():` runs LVM Storage for so long."""
    return lambda: running(LvmsDriver(client, lvm, "sno1").run)


@pytest.fixture
def oadp(client: Client, store: ObjectStore) -> Object:
    """The credentials and the DataProtectionApplication `dpa`, which makes the storage location `dpa-1`."""
    cluster = Cluster(client)
    ini = f"[default]\naws_access_key_id={store.credentials.access_key}\naws_secret_access_key=a secret\n"
    data = {"cloud": base64.b64encode(ini.encode()).decode()}
    cluster.put_once("Secret", "cloud-credentials", OADP_NAMESPACE, data=data)
    location = {
        "provider": "aws",
        "default": True,
        "objectStorage": {"bucket": "backups", "prefix": "sno"},
        "config": {"s3Url": store.url, "region": "us-east-1", "s3ForcePathStyle": "true", "profile": "default"},
        "credential": {"name": "cloud-credentials", "key": "cloud"},
    }
    spec = {
        "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]}},
        "backupLocations": [{"velero": location}],
    }
    cluster.put_once("DataProtectionApplication", "dpa", OADP_NAMESPACE, api="oadp.openshift.io/v1alpha1", spec=spec)
    return spec


@pytest.fixture
def velero(
    client: Client, store: ObjectStore, faults: Faults, oadp: Object, run_server: Callable[[], Any]
) -> Iterator[Velero]:
    """A running Velero whose storage location is available."""
    with ExitStack() as server:
        velero = Velero(client, store, faults, run_server, server)
        velero.start()
        yield velero


@pytest.fixture
def operator(velero: Velero, kubeconfig: Path, tmp_path: Path) -> Iterator[Operator]:
    """The agent of a cluster nobody has met yet."""
    with Operator(lambda: Client.connect(kubeconfig), evidence=tmp_path / "oadp") as operator:
        yield operator


@pytest.fixture
def store_down(velero: Velero) -> Iterator[None]:
    """The object store does not answer, and Velero knows it."""
    velero.store.stop()
    velero.until_phase("BackupStorageLocation", "dpa-1", "Unavailable")
    yield
    velero.store.start()
    velero.until_phase("BackupStorageLocation", "dpa-1", "Available")


@pytest.fixture
def name() -> str:
    """A name nobody has had: of a namespace, its Backup, its Restore."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def namespace(client: Client, name: str) -> str:
    """A namespace called `name` with a ConfigMap `settings` and a Secret `password`."""
    cluster = Cluster(client)
    cluster.put("Namespace", name, labels={"team": "blue"})
    cluster.put("ConfigMap", "settings", name, data={"colour": "green"}, labels={"app": "web"})
    cluster.put("Secret", "password", name, data={"key": "c2VjcmV0"})
    return name
