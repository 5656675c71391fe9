"""Does this seed fit this cluster? Pure comparisons; all problems in a fixed order (prep.md 4.6).

Errors are the combinations that were never supported. Warnings are what the documentation demands without anybody
having checked it: an upgrade may still succeed with them, so they do not stop it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from seeds.format import (
    FORMAT_LABEL,
    FORMAT_VERSION,
    INFO_LABEL,
    CpuTopology,
    SeedClusterInfo,
    SeedFormatError,
    TrustBundle,
)

PREFIX = "checking seed image compatibility: "
TRUST_PREFIX = "checking seed image additional trust bundle compatibility: "
_REBUILD = "please build a new image using the latest version of the lca-cli"
_UNSUPPORTED = ", this combination is not supported"


class Severity(StrEnum):
    """Whether a problem stops the upgrade."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One difference between seed and cluster."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """The cluster to be upgraded, in the seed's terms. Empty networks, no topology: unknown, not compared."""

    has_proxy: bool
    has_fips: bool
    trust_bundle: TrustBundle
    container_storage_target: str
    mirror_registry_configured: bool = False
    node_ips: tuple[str, ...] = ()
    cluster_networks: tuple[str, ...] = ()
    service_networks: tuple[str, ...] = ()
    cpu_topology: CpuTopology | None = None


def check_labels(labels: Mapping[str, str], facts: ClusterFacts, wanted_version: str) -> list[Problem]:
    """Compare a seed image's labels with the cluster and with the version that the user asked for.

    Of an image of another format only that is said: its other labels may mean anything. Raises SeedFormatError
    (`failed to get seed cluster info from label: ...`) when the info label cannot be read.
    """
    found = labels.get(FORMAT_LABEL)
    if found is None:
        return [_error(f"seed image is missing the {FORMAT_LABEL} label, {_REBUILD}")]
    if found != FORMAT_VERSION:
        return [_error(f"seed image format version mismatch: expected {FORMAT_VERSION}, got {found}")]
    if INFO_LABEL not in labels:
        # Such seeds tell nothing but their format; the first two comparisons take that for a no.
        return [*_check_proxy(SeedClusterInfo(), facts), *_check_fips(SeedClusterInfo(), facts)]
    try:
        info = SeedClusterInfo.parse(labels[INFO_LABEL])
    except SeedFormatError as error:
        raise SeedFormatError(
            f"failed to get seed cluster info from label: failed to unmarshal seed cluster info: {error}"
        ) from None
    return [*check_version(info, wanted_version), *check_cluster(info, facts)]


def check_version(info: SeedClusterInfo, wanted_version: str) -> list[Problem]:
    """Compare the seed's release with the one asked for; a seed that does not tell is compared after the pull."""
    if info.version in {"", wanted_version}:
        return []
    return [_error(describe_version_mismatch(info.version, wanted_version))]


def describe_version_mismatch(seed: str, wanted: str) -> str:
    """Return the text for a seed of another release than asked for (prep.md 7 step 9)."""
    return f"version specified in seed image ({seed}) differs from version in spec ({wanted})"


def check_cluster(info: SeedClusterInfo, facts: ClusterFacts) -> list[Problem]:
    """Compare the seed cluster with this one: errors in the documented order, then warnings."""
    return [problem for check in _CHECKS for problem in check(info, facts)]


def _error(text: str, prefix: str = PREFIX) -> Problem:
    return Problem(Severity.ERROR, prefix + text)


def _warning(text: str) -> Problem:
    return Problem(Severity.WARNING, PREFIX + text)


def _check_proxy(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    if info.has_proxy and not facts.has_proxy:
        yield _error(f"seed image has a proxy but the cluster being upgraded does not{_UNSUPPORTED}")
    if facts.has_proxy and not info.has_proxy:
        yield _error(f"seed image does not have a proxy but the cluster being upgraded does{_UNSUPPORTED}")


def _check_fips(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    if info.has_fips and not facts.has_fips:
        yield _error(f"seed image has FIPS enabled but the cluster being upgraded does not{_UNSUPPORTED}")
    if facts.has_fips and not info.has_fips:
        yield _error(f"seed image does not have FIPS enabled but the cluster being upgraded does{_UNSUPPORTED}")


def _check_trust_bundle(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    seed, cluster = info.trust_bundle, facts.trust_bundle
    if seed is None:
        return
    bundle = "an openshift-config/user-ca-bundle configmap but the cluster being upgraded"
    if seed.has_user_ca_bundle and not cluster.has_user_ca_bundle:
        yield _error(f"seed image has {bundle} does not{_UNSUPPORTED}", TRUST_PREFIX)
    if cluster.has_user_ca_bundle and not seed.has_user_ca_bundle:
        yield _error(f"seed image does not have {bundle} does{_UNSUPPORTED}", TRUST_PREFIX)
    if seed.proxy_configmap_name != cluster.proxy_configmap_name:
        yield _error(
            f'seed image\'s Proxy trustedCA configmap name "{seed.proxy_configmap_name}" (oc get proxy -oyaml) '
            f'mismatches cluster\'s name "{cluster.proxy_configmap_name}"{_UNSUPPORTED}',
            TRUST_PREFIX,
        )


def _check_storage(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    seed, cluster = info.container_storage_target, facts.container_storage_target
    if seed and seed != cluster:
        yield _error(f"container storage mountpoint target mismatch: seed={seed}, cluster={cluster}")


def _check_ip_family(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    seed, cluster = _families(info.addresses), _families(facts.node_ips)
    if seed and cluster and seed != cluster:
        yield _warning(f"IP family mismatch: seed={_list(seed)}, cluster={_list(cluster)}; both must be the same")


def _check_networks(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    pairs = (
        ("cluster network", info.cluster_networks, facts.cluster_networks),
        ("service network", info.service_networks, facts.service_networks),
    )
    for name, seed, cluster in pairs:
        if seed and cluster and _normalize(seed) != _normalize(cluster):
            yield _warning(f"{name} mismatch: seed={_list(seed)}, cluster={_list(cluster)}; both must be the same")


def _check_mirror(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    if info.mirror_registry_configured and not facts.mirror_registry_configured:
        yield _warning("seed image was made with mirror registries but the cluster being upgraded has none configured")
    if facts.mirror_registry_configured and not info.mirror_registry_configured:
        yield _warning(
            "seed image was made without mirror registries but the cluster being upgraded has some configured"
        )


def _check_cpu(info: SeedClusterInfo, facts: ClusterFacts) -> Iterable[Problem]:
    seed, cluster = info.cpu_topology, facts.cpu_topology
    if seed and cluster and seed != cluster:
        yield _warning(
            f"CPU topology mismatch: seed={_describe_cpu(seed)}, cluster={_describe_cpu(cluster)}; "
            "reserved and isolated CPUs of performance profiles may not fit"
        )


_CHECKS: tuple[Callable[[SeedClusterInfo, ClusterFacts], Iterable[Problem]], ...] = (
    _check_proxy,
    _check_fips,
    _check_trust_bundle,
    _check_storage,
    _check_ip_family,
    _check_networks,
    _check_mirror,
    _check_cpu,
)


def _families(addresses: Iterable[str]) -> list[str]:
    """Return the address families, e.g. `["IPv4", "IPv6"]`; what is no address counts for nothing."""
    found = set()
    for address in addresses:
        try:
            found.add(f"IPv{ipaddress.ip_address(address).version}")
        except ValueError:
            continue
    return sorted(found)


def _normalize(networks: Iterable[str]) -> set[str]:
    return {_normalize_network(network) for network in networks}


def _normalize_network(network: str) -> str:
    try:
        return str(ipaddress.ip_network(network, strict=False))
    except ValueError:
        return network


def _list(items: Iterable[str]) -> str:
    return ",".join(items)


def _describe_cpu(cpu: CpuTopology) -> str:
    return f"{cpu.sockets} sockets/{cpu.cores} cores/{cpu.threads} threads"
