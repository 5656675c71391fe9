"""Composes the reconfiguration of the new release's cluster from what was read of this one. Pure.

The values are those of upgrade-and-oadp.md 9.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.ibu.prepivot.cluster_objects import ClusterSnapshot
from agent.ibu.prepivot.host_identity import HostIdentity
from seeds.cluster import CONFIG_NAMESPACE, USER_CA_BUNDLE, has_proxy
from seeds.identity import (
    IdentityError,
    describe,
    find_hostname,
    find_release_registry,
    list_addresses,
    parse_common_name,
    parse_install_config,
    read_field,
    read_secret,
    read_text,
    select_master,
)
from seeds.reconfiguration import (
    AdditionalTrust,
    ClientAuthCrypto,
    IngressCrypto,
    KubeApiCrypto,
    KubeconfigCrypto,
    ProxySettings,
    SeedReconfiguration,
    ServingCrypto,
)

_BUNDLE_KEY = "ca-bundle.crt"


def compose_reconfiguration(snapshot: ClusterSnapshot, host: HostIdentity) -> SeedReconfiguration:
    """Compose the file's content; the snapshot is complete. Raises IdentityError with all problems."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, extract in _VALUES.items():
        try:
            values[name] = extract(snapshot)
        except IdentityError as problem:
            problems.append(str(problem))
    if problems:
        raise IdentityError("; ".join(dict.fromkeys(problems)))
    return SeedReconfiguration(
        ssh_key=host.ssh_key, server_ssh_keys=host.server_ssh_keys, chrony_config=host.chrony_config, **values
    )


def _read_node_ips(snapshot: ClusterSnapshot) -> tuple[str, ...]:
    node = select_master(snapshot.masters)
    addresses = list_addresses(node, "InternalIP")
    if not addresses:
        raise IdentityError(f"failed to find the internal address of node {node['metadata']['name']}")
    return addresses


def _read_node_labels(snapshot: ClusterSnapshot) -> dict[str, str]:
    return dict(select_master(snapshot.masters)["metadata"].get("labels") or {})


def _read_crypto(snapshot: ClusterSnapshot) -> KubeconfigCrypto:
    named = snapshot.named
    serving = ServingCrypto(
        localhost_signer=read_secret(named["localhost_signer"], "tls.key"),
        service_network_signer=read_secret(named["service_signer"], "tls.key"),
        loadbalancer_signer=read_secret(named["loadbalancer_signer"], "tls.key"),
    )
    client_auth = ClientAuthCrypto(admin_ca=read_text(named["admin_ca"], _BUNDLE_KEY))
    return KubeconfigCrypto(
        kube_api=KubeApiCrypto(serving=serving, client_auth=client_auth),
        ingress=_read_ingress(named["router_ca"]),
    )


def _read_ingress(router_ca: Mapping[str, Any]) -> IngressCrypto:
    certificate = read_secret(router_ca, "tls.crt")
    try:
        common_name = parse_common_name(certificate)
    except IdentityError as error:
        raise IdentityError(f"{describe(router_ca)}: tls.crt: {error}") from None
    return IngressCrypto(ca_key=read_secret(router_ca, "tls.key"), certificate_cn=common_name)


def _read_password_hash(snapshot: ClusterSnapshot) -> str:
    secret = snapshot.named.get("kubeadmin")
    return read_secret(secret, "kubeadmin") if secret is not None else ""


def _read_proxy(part: str) -> Callable[[ClusterSnapshot], ProxySettings | None]:
    def read(snapshot: ClusterSnapshot) -> ProxySettings | None:
        proxy = snapshot.named["proxy"]
        return ProxySettings.model_validate(proxy.get(part) or {}) if has_proxy(proxy) else None

    return read


def _read_trust(snapshot: ClusterSnapshot) -> AdditionalTrust:
    name = str(((snapshot.named["proxy"].get("spec") or {}).get("trustedCA") or {}).get("name") or "")
    user_bundle = _read_bundle(snapshot, "user_ca")
    bundle = user_bundle if name == USER_CA_BUNDLE else _read_bundle(snapshot, "trusted_ca")
    if name and name != USER_CA_BUNDLE and not bundle:
        raise IdentityError(f"proxy trustedCA configmap {CONFIG_NAMESPACE}/{name} exists but is empty")
    return AdditionalTrust(user_ca_bundle=user_bundle, proxy_configmap_name=name, proxy_configmap_bundle=bundle)


def _read_bundle(snapshot: ClusterSnapshot, name: str) -> str:
    return str((snapshot.named.get(name, {}).get("data") or {}).get(_BUNDLE_KEY) or "")


_VALUES: dict[str, Callable[[ClusterSnapshot], Any]] = {
    "base_domain": lambda snapshot: parse_install_config(snapshot.named["install_config"]).base_domain,
    "cluster_name": lambda snapshot: parse_install_config(snapshot.named["install_config"]).cluster_name,
    "machine_networks": lambda snapshot: parse_install_config(snapshot.named["install_config"]).machine_networks,
    "install_config": lambda snapshot: parse_install_config(snapshot.named["install_config"]).text,
    "cluster_id": lambda snapshot: read_field(snapshot.named["cluster_version"], "spec", "clusterID"),
    "infra_id": lambda snapshot: read_field(snapshot.named["infrastructure"], "status", "infrastructureName"),
    "node_ips": _read_node_ips,
    "node_labels": _read_node_labels,
    "hostname": lambda snapshot: find_hostname(select_master(snapshot.masters)),
    "release_registry": lambda snapshot: find_release_registry(snapshot.named["version_operator"]),
    "kubeconfig_crypto": _read_crypto,
    "kubeadmin_password_hash": _read_password_hash,
    "pull_secret": lambda snapshot: read_secret(snapshot.named["pull_secret"], ".dockerconfigjson"),
    "proxy": _read_proxy("spec"),
    "status_proxy": _read_proxy("status"),
    "additional_trust": _read_trust,
}
"""Field of `SeedReconfiguration` -> how it is read."""
