"""recert's configuration file: how one cluster becomes another (post-pivot-and-rollback.md 6.1). Pure functions.

recert refuses keys that it does not know and rules that are malformed; nothing else is written here. The file holds
secrets in clear: mode 0600, never logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from seeds.format import SeedClusterInfo
from seeds.reconfiguration import AdditionalTrust, KubeconfigCrypto, SeedReconfiguration

RecertConfig: TypeAlias = dict[str, Any]

SUMMARY_FILE = "/var/tmp/recert-summary.yaml"  # noqa: S108 - recert's container sees it at the same place
CLIENT_CA_FILE = "admin-kubeconfig-client-ca.crt"
INGRESS_KEY_FILE = "ingresskey-ingress-operator.key"
SIGNER_KEY_FILES = {
    "kube-apiserver-lb-signer": "loadbalancer-serving-signer.key",
    "kube-apiserver-localhost-signer": "localhost-serving-signer.key",
    "kube-apiserver-service-network-signer": "service-network-serving-signer.key",
}
"""Common name of an API server's signer -> file that keeps its key."""

_DIRECTORIES = ("/kubelet", "/kubernetes", "/machine-config-daemon")
_MACHINE_CONFIG = "/host-etc/mcs-machine-config-content.json"
_CUSTOMIZED = (_MACHINE_CONFIG, "/host-etc/mco/proxy.env", "/host-etc/chrony.conf")
_NAMED_KEY_PREFIX, _NAMED_KEY_SUFFIX = "CN=", ".key"
_USER_CA_BUNDLE = "user-ca-bundle"


class RecertConfigError(ValueError):
    """The input does not make a configuration; the text names the keys, never their values."""


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """Where recert finds the keys that the cluster goes on using.

    `folder` holds the files of the kubeconfigs, of which `file_names` are all names; `certificate_rules` are rules for
    further certificates (see `make_certificate_rules`).
    """

    folder: str
    file_names: Sequence[str]
    certificate_rules: Sequence[str] = ()


def start_config(kubeadmin_password_hash: str, summary_file: str) -> RecertConfig:
    """Return what every configuration holds; an empty hash removes the administrator's password."""
    return {
        "etcd_endpoint": "localhost:2379",
        "crypto_dirs": list(_DIRECTORIES),
        "crypto_files": [_MACHINE_CONFIG],
        "cluster_customization_dirs": list(_DIRECTORIES),
        "cluster_customization_files": list(_CUSTOMIZED),
        "kubeadmin_password_hash": kubeadmin_password_hash,
        "summary_file_clean": summary_file,
    }


def list_kubeconfig_files(crypto: KubeconfigCrypto) -> dict[str, str]:
    """Return the files (name -> content) that keep the kubeconfigs of the cluster valid."""
    serving = crypto.kube_api.serving
    keys = (serving.loadbalancer_signer, serving.localhost_signer, serving.service_network_signer)
    return {
        CLIENT_CA_FILE: crypto.kube_api.client_auth.admin_ca,
        **dict(zip(SIGNER_KEY_FILES.values(), keys, strict=True)),
        INGRESS_KEY_FILE: crypto.ingress.ca_key,
    }


def make_key_rules(kept: KeptKeys, ingress_common_name: str) -> list[str]:
    """Return the rules for the keys of the kubeconfigs. Raises RecertConfigError.

    `ingress_common_name` is the one that recert finds in the cluster, that is, the seed's.
    """
    ingress_key = min((name for name in kept.file_names if name.startswith("ingresskey-")), default=None)
    if ingress_key is None:
        raise RecertConfigError("failed to find ingress key file")
    rules = [f"{common_name} {kept.folder}/{file}" for common_name, file in SIGNER_KEY_FILES.items()]
    # An old seed does not tell the name; a rule without one would be refused.
    return rules + ([f"{ingress_common_name} {kept.folder}/{ingress_key}"] if ingress_common_name else [])


def make_certificate_rules(folder: str, file_names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the rules for `CN=<common name>__<anything>.key` in `folder`, and the files for which there can be none.

    Files with other names are no keys of certificates. recert splits a rule at its only blank or colon.
    """
    rules: list[str] = []
    unusable: list[str] = []
    for name in sorted(file_names):
        common_name, separator, _ = name.removeprefix(_NAMED_KEY_PREFIX).partition("__")
        if not (name.startswith(_NAMED_KEY_PREFIX) and name.endswith(_NAMED_KEY_SUFFIX) and separator and common_name):
            continue
        if ":" in name or any(character.isspace() for character in name):
            unusable.append(name)
        else:
            rules.append(f"{common_name} {folder}/{name}")
    return rules, unusable


def build_site_config(site: SeedReconfiguration, seed: SeedClusterInfo, hostname: str, kept: KeptKeys) -> RecertConfig:
    """Return the configuration that turns the seed's cluster into the site's. Raises RecertConfigError.

    `hostname` is the node's name as it was set.
    """
    addresses, networks = list(site.node_ips), list(site.machine_networks)
    name = f"{site.cluster_name}:{site.base_domain}"
    optional = {
        "hostname": hostname if hostname != seed.hostname else "",
        "ip": addresses if addresses != list(seed.addresses) else [],
        "machine_network_cidr": networks if networks != list(seed.machine_networks) else [],
        "proxy": _join_proxies(site),
        "user_ca_bundle": site.additional_trust.user_ca_bundle,
        "proxy_trusted_ca_bundle": _name_proxy_bundle(site.additional_trust),
        "install_config": site.install_config,
        "pull_secret": site.pull_secret,
        "chrony_config": site.chrony_config,
        "regenerate_server_ssh_keys": "" if site.server_ssh_keys else "/ssh",
    }
    return {
        **start_config(site.kubeadmin_password_hash, SUMMARY_FILE),
        "extend_expiration": True,
        "cluster_rename": f"{name}:{site.infra_id}" if site.infra_id else name,
        **{key: value for key, value in optional.items() if value},
        "use_key_rules": [*make_key_rules(kept, seed.ingress_certificate_cn), *kept.certificate_rules],
        "use_cert_rules": [f"{kept.folder}/{CLIENT_CA_FILE}"],
        "cn_san_replace_rules": _make_name_rules(site, seed, hostname),
    }


def _join_proxies(site: SeedReconfiguration) -> str:
    if site.proxy is None or site.status_proxy is None:
        return ""
    proxies = (site.proxy, site.status_proxy)
    return "|".join(text for proxy in proxies for text in (proxy.http, proxy.https, proxy.no_proxy))


def _name_proxy_bundle(trust: AdditionalTrust) -> str:
    name, bundle = trust.proxy_configmap_name, trust.proxy_configmap_bundle
    if name == _USER_CA_BUNDLE:
        return f"{name}:"
    if bool(name) != bool(bundle):
        raise RecertConfigError(
            "failed to set recert trusted ca bundle from seed reconfig additional trust bundle: "
            "both or neither of proxy configmap bundle and proxy configmap name must be set"
        )
    return f"{name}:{bundle}" if name else ""


def _make_name_rules(site: SeedReconfiguration, seed: SeedClusterInfo, hostname: str) -> list[str]:
    old, new = f"{seed.cluster_name}.{seed.base_domain}", f"{site.cluster_name}.{site.base_domain}"
    pairs = [(f"system:node:{seed.hostname}", f"system:node:{hostname}"), (seed.hostname, hostname)]
    pairs += [(f"{prefix}.{old}", f"{prefix}.{new}") for prefix in ("api", "api-int", "*.apps")]
    if len(seed.addresses) == len(site.node_ips):
        pairs += zip(seed.addresses, site.node_ips, strict=True)
    if own_ingress := site.kubeconfig_crypto.ingress.certificate_cn:
        pairs.append((seed.ingress_certificate_cn, own_ingress))
    return [f"{before},{after}" for before, after in pairs if before and after]
