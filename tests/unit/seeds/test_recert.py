"""Every row of post-pivot-and-rollback.md 6.1, and the values of a recorded run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from seeds.format import SeedClusterInfo
from seeds.recert import (
    KeptKeys,
    RecertConfigError,
    build_site_config,
    list_kubeconfig_files,
    make_certificate_rules,
    start_config,
)
from seeds.reconfiguration import SeedReconfiguration

D = "/opt/openshift/kubeconfig-crypto"
SEED = SeedClusterInfo(
    base_domain="seed.example.com",
    cluster_name="seed",
    node_ips=("192.168.127.10",),
    hostname="seed1",
    ingress_certificate_cn="ingress-operator@1690000000",
    machine_networks=("192.168.127.0/24",),
)
SITE: dict[str, Any] = {
    "api_version": 1,
    "base_domain": "example.com",
    "cluster_name": "sno",
    "infra_id": "sno-x7k2p",
    "node_ips": ["192.168.126.10"],
    "machine_networks": ["192.168.126.0/24"],
    "hostname": "sno1",
    "pull_secret": '{"auths":{}}',
    "install_config": "x: y",
    "chrony_config": "server t",
    "kubeadmin_password_hash": "x",
    "server_ssh_keys": [{"file_name": "ssh_host_rsa_key", "file_content": "K"}],
    "KubeconfigCryptoRetention": {"IngresssCrypto": {"ingress_certificate_cn": "ingress-operator@1"}},
}
KEPT = KeptKeys(D, ("ingresskey-ingress-operator.key", "loadbalancer-serving-signer.key"))

RECORDED = {
    "extend_expiration": True,
    "etcd_endpoint": "localhost:2379",
    "cluster_rename": "sno:example.com:sno-x7k2p",
    "hostname": "sno1",
    "ip": ["192.168.126.10"],
    "install_config": "x: y",
    "kubeadmin_password_hash": "x",
    "summary_file_clean": "/var/tmp/recert-summary.yaml",
    "crypto_dirs": ["/kubelet", "/kubernetes", "/machine-config-daemon"],
    "crypto_files": ["/host-etc/mcs-machine-config-content.json"],
    "cluster_customization_dirs": ["/kubelet", "/kubernetes", "/machine-config-daemon"],
    "cluster_customization_files": [
        "/host-etc/mcs-machine-config-content.json",
        "/host-etc/mco/proxy.env",
        "/host-etc/chrony.conf",
    ],
    "cn_san_replace_rules": [
        "system:node:seed1,system:node:sno1",
        "seed1,sno1",
        "api.seed.seed.example.com,api.sno.example.com",
        "api-int.seed.seed.example.com,api-int.sno.example.com",
        "*.apps.seed.seed.example.com,*.apps.sno.example.com",
        "192.168.127.10,192.168.126.10",
        "ingress-operator@1690000000,ingress-operator@1",
    ],
    "use_key_rules": [
        f"kube-apiserver-lb-signer {D}/loadbalancer-serving-signer.key",
        f"kube-apiserver-localhost-signer {D}/localhost-serving-signer.key",
        f"kube-apiserver-service-network-signer {D}/service-network-serving-signer.key",
        f"ingress-operator@1690000000 {D}/ingresskey-ingress-operator.key",
    ],
    "use_cert_rules": [f"{D}/admin-kubeconfig-client-ca.crt"],
    "pull_secret": '{"auths":{}}',
    "chrony_config": "server t",
    "machine_network_cidr": ["192.168.126.0/24"],
}
"""Of cli-post-pivot-002."""


def build(
    seed: SeedClusterInfo = SEED, kept: KeptKeys = KEPT, hostname: str = "sno1", **changes: Any
) -> dict[str, Any]:
    site = SeedReconfiguration.parse(json.dumps({**SITE, **changes}))
    return build_site_config(site, seed, hostname, kept)


def test_config_of_the_recorded_run_is_the_same() -> None:
    assert build() == RECORDED


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        pytest.param({"infra_id": ""}, "cluster_rename", "sno:example.com", id="no-infra-id"),
        pytest.param({"node_ips": ["192.168.127.10"]}, "ip", None, id="same-ip"),
        pytest.param({"node_ips": []}, "ip", None, id="no-ip"),
        pytest.param(
            {"node_ips": ["fd00::1", "192.168.127.10"]}, "ip", ["fd00::1", "192.168.127.10"], id="order-counts"
        ),
        pytest.param({"machine_networks": ["192.168.127.0/24"]}, "machine_network_cidr", None, id="same-network"),
        pytest.param({"machine_networks": []}, "machine_network_cidr", None, id="no-network"),
        pytest.param({}, "proxy", None, id="no-proxy"),
        pytest.param({"proxy": {"httpProxy": "h"}}, "proxy", None, id="no-status-proxy"),
        pytest.param(
            {
                "proxy": {"httpProxy": "h", "httpsProxy": "s", "noProxy": "n"},
                "status_proxy": {"httpProxy": "H", "noProxy": "N"},
            },
            "proxy",
            "h|s|n|H||N",
            id="proxy",
        ),
        pytest.param({"additionalTrustBundle": {"userCaBundle": "CA"}}, "user_ca_bundle", "CA", id="user-ca"),
        pytest.param({}, "user_ca_bundle", None, id="no-user-ca"),
        pytest.param({}, "proxy_trusted_ca_bundle", None, id="no-proxy-ca"),
        pytest.param(
            {"additionalTrustBundle": {"proxyConfigmapName": "user-ca-bundle", "proxyConfigmapBundle": "CA"}},
            "proxy_trusted_ca_bundle",
            "user-ca-bundle:",
            id="proxy-trusts-the-user-ca",
        ),
        pytest.param(
            {"additionalTrustBundle": {"proxyConfigmapName": "own", "proxyConfigmapBundle": "CA"}},
            "proxy_trusted_ca_bundle",
            "own:CA",
            id="proxy-ca",
        ),
        pytest.param({"install_config": ""}, "install_config", None, id="no-install-config"),
        pytest.param({"pull_secret": ""}, "pull_secret", None, id="no-pull-secret"),
        pytest.param({"chrony_config": ""}, "chrony_config", None, id="no-chrony"),
        pytest.param({"kubeadmin_password_hash": ""}, "kubeadmin_password_hash", "", id="hash-always-there"),
        pytest.param({"server_ssh_keys": []}, "regenerate_server_ssh_keys", "/ssh", id="new-ssh-keys"),
        pytest.param({}, "regenerate_server_ssh_keys", None, id="kept-ssh-keys"),
    ],
)
def test_config_key_follows_its_rule(changes: dict[str, Any], key: str, value: Any) -> None:
    config = build(**changes)
    assert config.get(key) == value
    assert (key in config) is (value is not None)


def test_config_of_an_unchanged_host_name_leaves_it_out() -> None:
    assert "hostname" not in build(hostname="seed1")


@pytest.mark.parametrize("half", [{"proxyConfigmapName": "own"}, {"proxyConfigmapBundle": "CA"}])
def test_config_with_half_a_proxy_bundle_is_refused(half: dict[str, str]) -> None:
    with pytest.raises(RecertConfigError) as error:
        build(additionalTrustBundle=half)
    assert str(error.value) == (
        "failed to set recert trusted ca bundle from seed reconfig additional trust bundle: "
        "both or neither of proxy configmap bundle and proxy configmap name must be set"
    )


@pytest.mark.parametrize(
    ("addresses", "rules"),
    [
        (["192.168.127.10"], ["192.168.127.10,192.168.127.10"]),
        (["192.168.126.10", "fd00::1"], []),
        ([], []),
    ],
    ids=["equal", "another-count", "none"],
)
def test_config_has_one_name_rule_for_each_address(addresses: list[str], rules: list[str]) -> None:
    found = build(node_ips=addresses)["cn_san_replace_rules"]
    assert [rule for rule in found if rule[0].isdigit()] == rules


def test_config_without_own_ingress_name_has_no_rule_for_it() -> None:
    found = build(KubeconfigCryptoRetention={})["cn_san_replace_rules"]
    assert not [rule for rule in found if rule.startswith("ingress-operator")]


def test_config_of_a_seed_that_does_not_tell_its_ingress_name_has_no_rule_for_it() -> None:
    config = build(replace(SEED, ingress_certificate_cn=""))
    assert len(config["use_key_rules"]) == 3
    assert len(config["cn_san_replace_rules"]) == 6


def test_config_takes_the_first_ingress_key_file() -> None:
    kept = KeptKeys(D, ("ingresskey-b.key", "ingresskey-a.key"))
    assert build(kept=kept)["use_key_rules"][-1] == f"ingress-operator@1690000000 {D}/ingresskey-a.key"


def test_config_without_ingress_key_file_is_refused() -> None:
    with pytest.raises(RecertConfigError, match="^failed to find ingress key file$"):
        build(kept=KeptKeys(D, ("loadbalancer-serving-signer.key",)))


def test_certificate_rules_are_sorted_and_leave_out_what_recert_refuses() -> None:
    names = [
        "CN=b__x.key",
        "CN=a.example.com__web__tls.key",
        "CN=two words__x.key",
        "CN=a:b__x.key",
        "CN=c.key",
        "d.key",
    ]
    names += ["CN=e__x.crt", "CN=__x.key"]
    rules, unusable = make_certificate_rules("/c", names)
    assert rules == ["a.example.com /c/CN=a.example.com__web__tls.key", "b /c/CN=b__x.key"]
    assert unusable == ["CN=a:b__x.key", "CN=two words__x.key"]


def test_config_lists_certificate_rules_last() -> None:
    assert build(kept=replace(KEPT, certificate_rules=("a /c/x",)))["use_key_rules"][-1] == "a /c/x"


def test_kubeconfig_files_hold_the_retained_crypto() -> None:
    serving = {f"{name}_signer_private_key": name for name in ("localhost", "service_network", "loadbalancer_external")}
    retention = {
        "KubeAPICrypto": {"ServingCrypto": serving, "ClientAuthCrypto": {"admin_ca_certificate": "ca"}},
        "IngresssCrypto": {"ingress_ca": "ingress"},
    }
    site = SeedReconfiguration.parse(json.dumps({"KubeconfigCryptoRetention": retention}))
    assert list_kubeconfig_files(site.kubeconfig_crypto) == {
        "admin-kubeconfig-client-ca.crt": "ca",
        "loadbalancer-serving-signer.key": "loadbalancer_external",
        "localhost-serving-signer.key": "localhost",
        "service-network-serving-signer.key": "service_network",
        "ingresskey-ingress-operator.key": "ingress",
    }


def test_start_config_keeps_an_empty_hash() -> None:
    assert start_config("", "/kubernetes/summary.yaml")["kubeadmin_password_hash"] == ""
