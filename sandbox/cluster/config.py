"""Everything that the cluster process needs to know; written by whoever starts it, as one JSON file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

CHECKOUT = Path(__file__).parents[2]


class ObjectStoreConfig(BaseModel):
    """The S3 server outside the node that backups go to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    bucket: str = "backups"
    region: str = "us-east-1"
    access_key: str = "sandbox"
    secret_key: str = "sandbox-secret"  # noqa: S105  the S3 server of a sandbox takes any


class ClusterConfig(BaseModel):
    """Configuration of `python -m sandbox.cluster`.

    All paths are as the process sees them: inside the booted node `node_root` is `/`. The defaults below `node_root`
    follow from it (`for_node_root`), so that a scratch folder can play the node.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # where
    node_root: Path = Path("/")
    etcd_data: Path = Path("/var/lib/etcd")
    pki: Path = Path("/etc/kubernetes/static-pod-resources/sandbox-pki")
    """Keys of the control plane; they belong to the stateroot, as certificates do on a node."""
    run_directory: Path = Path("/run/sandbox-cluster")
    """Files of this run only: kubeconfigs of the control plane, mounts of Pods."""
    logs_dir: Path = Path("/var/log/sandbox-cluster")
    """Logs of the control plane's processes."""
    lvm_dir: Path = Path("/sandbox/lvm")
    faults_file: Path = Path("/sandbox/control/faults.json")
    kubeconfigs: tuple[Path, ...] = ()
    """An administrator's kubeconfig is written to each of these as soon as the API server answers."""
    ready_file: Path | None = None
    """Created when the API server answers and every object of a first boot exists; removed at start and stop."""

    # doors
    api_port: int = Field(ge=0, le=65535, default=0)
    kubelet_port: int = Field(ge=0, le=65535, default=0)

    # identity
    node_name: str = "sno1"
    node_ip: str = "192.168.126.10"
    machine_network: str = "192.168.126.0/24"
    version: str = "4.15.0"
    release_registry: str = "quay.io"
    cluster_name: str = "sno"
    base_domain: str = "example.com"
    cluster_id: str = "11111111-2222-3333-4444-555555555555"
    infra_id: str = "sno-x7k2p"
    object_store: ObjectStoreConfig | None = None
    """Where backups go. Without it neither OADP nor LVM Storage is configured, as on a node that becomes a seed."""

    # behaviour
    programs: tuple[Path, ...] = ()
    """Folders searched before `/usr/sbin:/usr/bin` by the containers of Pods: stand-ins, `lca` and `lca-node`."""
    program_mounts: tuple[Path, ...] = (CHECKOUT,)
    """Folders that containers see read-only under their own path: what the programs need besides `/usr`."""
    deploy_dir: Path | None = CHECKOUT / "deploy"
    """Manifests of the operator, applied at a first boot; left out if the folder does not exist."""
    operator_seconds: float = Field(gt=0, default=0.4)
    """How long each ClusterOperator takes to become available after a start."""
    stateroot: str = ""
    """The booted stateroot; `never-healthy-after-pivot` only concerns one that an upgrade has just led into."""

    @classmethod
    def for_node_root(cls, node_root: Path, **values: object) -> ClusterConfig:
        """A configuration whose folders all lie below `node_root`, unless `values` say otherwise."""
        defaults: dict[str, object] = {
            name: node_root / Path(str(cls.model_fields[name].default)).relative_to("/")
            for name in ("etcd_data", "pki", "run_directory", "logs_dir", "lvm_dir", "faults_file")
        }
        return cls.model_validate({**defaults, "node_root": node_root, **values})

    @classmethod
    def read(cls, path: Path) -> ClusterConfig:
        """Read the JSON file `path`. Raises OSError, pydantic.ValidationError (all problems at once)."""
        return cls.model_validate_json(path.read_bytes())

    @property
    def domain(self) -> str:
        """Domain of the cluster: `<name>.<base domain>`."""
        return f"{self.cluster_name}.{self.base_domain}"

    @property
    def release_image(self) -> str:
        """Pull spec of the release; only its registry and version mean something."""
        return f"{self.release_registry}/openshift-release-dev/ocp-release:{self.version}-x86_64"
