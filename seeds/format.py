"""The seed image's format: file names, labels, and the seed cluster's description (seed-image-and-gitops.md B.6, C)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

FORMAT_VERSION = "4"
"""The only format version that is understood; compared as text."""

FORMAT_LABEL = "com.openshift.lifecycle-agent.seed_format_version"
INFO_LABEL = "com.openshift.lifecycle-agent.seed_cluster_info"

OSTREE_ARCHIVE = "ostree.tgz"
VAR_ARCHIVE = "var.tgz"
ETC_ARCHIVE = "etc.tgz"
ETC_DELETIONS = "etc.deletions"
DEPLOYMENTS = "rpm-ostree.json"
MACHINE_CONFIG = "mco-currentconfig.json"
IMAGE_LIST = "containers.list"
MANIFEST = "manifest.json"
PROGRAM = "lca-cli"
SEED_DATA = "var/seed_data"
"""Folder of the var archive that holds `manifest.json` too."""


def make_labels(info: str) -> dict[str, str]:
    """Return the labels of an image; `info` is the content of its `manifest.json`."""
    return {FORMAT_LABEL: FORMAT_VERSION, INFO_LABEL: info}


class SeedFormatError(ValueError):
    """Something in a seed image is not as the format demands; the text names the file or key."""


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """Additional certificate authorities: the user's bundle, and the ConfigMap that the proxy names (or "")."""

    has_user_ca_bundle: bool = False
    proxy_configmap_name: str = ""


@dataclass(frozen=True, slots=True)
class CpuTopology:
    """Processors of a node: counts of sockets, physical cores and hardware threads."""

    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class SeedClusterInfo:
    """What the seed cluster was: the content of `manifest.json` and of the info label.

    A value that equals its default is left out of the JSON, except for `has_proxy`, `has_fips` and the trust bundle.
    `trust_bundle` and `cpu_topology` are None when the seed does not tell.
    """

    version: str = field(default="", metadata={"key": "seed_cluster_ocp_version"})
    base_domain: str = field(default="", metadata={"key": "base_domain"})
    cluster_name: str = field(default="", metadata={"key": "cluster_name"})
    node_ip: str = field(default="", metadata={"key": "node_ip"})
    node_ips: tuple[str, ...] = field(default=(), metadata={"key": "node_ips"})
    release_registry: str = field(default="", metadata={"key": "release_registry"})
    mirror_registry_configured: bool = field(default=False, metadata={"key": "mirror_registry_configured"})
    hostname: str = field(default="", metadata={"key": "sno_hostname"})
    recert_image: str = field(default="", metadata={"key": "recert_image_pull_spec"})
    has_proxy: bool = field(default=False, metadata={"key": "has_proxy", "always": True})
    cluster_networks: tuple[str, ...] = field(default=(), metadata={"key": "cluster_network_cidr"})
    service_networks: tuple[str, ...] = field(default=(), metadata={"key": "service_network_cidr"})
    has_fips: bool = field(default=False, metadata={"key": "has_fips", "always": True})
    trust_bundle: TrustBundle | None = field(default=None, metadata={"key": "additionalTrustBundle"})
    container_storage_target: str = field(default="", metadata={"key": "container_storage_mountpoint_target"})
    ingress_certificate_cn: str = field(default="", metadata={"key": "ingress_certificate_cn"})
    machine_networks: tuple[str, ...] = field(default=(), metadata={"key": "machine_networks"})
    cpu_topology: CpuTopology | None = field(default=None, metadata={"key": "cpu_topology"})

    @property
    def addresses(self) -> tuple[str, ...]:
        """The node's addresses, also of a seed that tells only one under the older key."""
        return self.node_ips or tuple(filter(None, (self.node_ip,)))

    @classmethod
    def parse(cls, text: str | bytes) -> SeedClusterInfo:
        """Read the JSON of the manifest or label; unknown keys are ignored, null is absent.

        Raises SeedFormatError that lists every value of a wrong type.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SeedFormatError(f"not valid JSON: {error}") from None
        if not isinstance(data, dict):
            raise SeedFormatError("not a JSON object")
        problems: list[str] = []
        values: dict[str, Any] = {}
        for item in fields(cls):
            key = item.metadata["key"]
            if data.get(key) is not None:
                values[item.name] = _READERS[str(item.type)](key, data[key], problems)
        if problems:
            raise SeedFormatError("; ".join(problems))
        return cls(**values)

    def dump(self) -> str:
        """Return the JSON in one line, in the order of the format."""
        entries = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.metadata.get("always") or value != item.default:
                entries[item.metadata["key"]] = _to_json(value)
        return json.dumps(entries, separators=(",", ":"), ensure_ascii=False)


def _to_json(value: Any) -> Any:
    match value:
        case TrustBundle():
            return {"hasUserCaBundle": value.has_user_ca_bundle, "proxyConfigmapName": value.proxy_configmap_name}
        case CpuTopology():
            return {"sockets": value.sockets, "cores": value.cores, "threads": value.threads}
        case tuple():
            return list(value)
    return value


def _read_text(key: str, value: Any, problems: list[str]) -> str:
    if not isinstance(value, str):
        problems.append(f"{key} must be a string")
        return ""
    return value


def _read_flag(key: str, value: Any, problems: list[str]) -> bool:
    if not isinstance(value, bool):
        problems.append(f"{key} must be true or false")
        return False
    return value


def _read_texts(key: str, value: Any, problems: list[str]) -> tuple[str, ...]:
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        problems.append(f"{key} must be a list of strings")
        return ()
    return tuple(value)


def _read_count(key: str, value: Any, problems: list[str]) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        problems.append(f"{key} must be a whole number")
        return 0
    return value


def _read_object(key: str, value: Any, problems: list[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        problems.append(f"{key} must be an object")
        return {}
    return value


def _read_trust_bundle(key: str, value: Any, problems: list[str]) -> TrustBundle:
    data = _read_object(key, value, problems)
    return TrustBundle(
        _read_flag(f"{key}.hasUserCaBundle", data.get("hasUserCaBundle", False), problems),
        _read_text(f"{key}.proxyConfigmapName", data.get("proxyConfigmapName", ""), problems),
    )


def _read_cpu_topology(key: str, value: Any, problems: list[str]) -> CpuTopology:
    data = _read_object(key, value, problems)
    counts = (_read_count(f"{key}.{name}", data.get(name, 0), problems) for name in ("sockets", "cores", "threads"))
    return CpuTopology(*counts)


_READERS = {
    "str": _read_text,
    "bool": _read_flag,
    "tuple[str, ...]": _read_texts,
    "TrustBundle | None": _read_trust_bundle,
    "CpuTopology | None": _read_cpu_topology,
}
assert all(str(item.type) in _READERS and item.default is not MISSING for item in fields(SeedClusterInfo))
