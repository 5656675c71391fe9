"""The reconfiguration file: what is written, what is left out, what readers accept (upgrade-and-oadp.md 9.1)."""

from __future__ import annotations

import json

import pytest

from seeds.reconfiguration import (
    AdditionalTrust,
    IngressCrypto,
    KubeApiCrypto,
    KubeconfigCrypto,
    ProxySettings,
    ReconfigurationError,
    SeedReconfiguration,
    ServerSshKey,
    ServingCrypto,
)

SECRETS = SeedReconfiguration(
    kubeconfig_crypto=KubeconfigCrypto(
        kube_api=KubeApiCrypto(serving=ServingCrypto(localhost_signer="PRIVATE")),
        ingress=IngressCrypto(ca_key="PRIVATE", certificate_cn="ingress-operator@1"),
    ),
    kubeadmin_password_hash="PRIVATE",
    pull_secret="PRIVATE",
    install_config="PRIVATE",
    server_ssh_keys=(ServerSshKey(file_name="ssh_host_rsa_key", content="PRIVATE"),),
    proxy=ProxySettings(http="http://user:PRIVATE@proxy"),
)


def test_dump_of_nothing_holds_the_keys_that_are_always_there() -> None:
    assert json.loads(SeedReconfiguration().dump()) == {
        "api_version": 1,
        "KubeconfigCryptoRetention": {
            "KubeAPICrypto": {"ServingCrypto": {}, "ClientAuthCrypto": {}},
            "IngresssCrypto": {},
        },
        "additionalTrustBundle": {"userCaBundle": "", "proxyConfigmapName": "", "proxyConfigmapBundle": ""},
    }


def test_dump_keeps_a_proxy_status_without_values() -> None:
    """Without it a reader takes the file for one of an installation, and computes the status itself."""
    written = json.loads(SeedReconfiguration(proxy=ProxySettings(http="http://p"), status_proxy=ProxySettings()).dump())
    assert (written["proxy"], written["status_proxy"]) == ({"httpProxy": "http://p"}, {})


def test_dump_and_parse_are_inverse() -> None:
    trust = AdditionalTrust(user_ca_bundle="PEM", proxy_configmap_name="trusted")
    whole = SECRETS.model_copy(update={"node_labels": {"a": ""}, "node_ips": ("::1",), "additional_trust": trust})
    assert SeedReconfiguration.parse(whole.dump()) == whole


def test_parse_ignores_unknown_keys_and_reads_older_ones() -> None:
    read = SeedReconfiguration.parse(
        '{"node_ip": "10.0.0.1", "machine_network": "10.0.0.0/24", "new": 1, "proxy": null}'
    )
    assert (read.node_ips, read.machine_networks, read.proxy) == (("10.0.0.1",), ("10.0.0.0/24",), None)


def test_parse_prefers_the_lists_to_the_older_keys() -> None:
    assert SeedReconfiguration.parse('{"node_ip": "10.0.0.1", "node_ips": ["10.0.0.2"]}').node_ips == ("10.0.0.2",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(
            '{"api_version": "x", "pull_secret": ["s3cr3t"]}', ("api_version", "pull_secret"), id="wrong-types"
        ),
        pytest.param("[]", ("the file",), id="no-object"),
        pytest.param("{", ("not valid JSON",), id="no-json"),
    ],
)
def test_parse_of_a_bad_file_names_every_key_and_no_value(text: str, named: tuple[str, ...]) -> None:
    with pytest.raises(ReconfigurationError) as caught:
        SeedReconfiguration.parse(text)
    assert all(name in str(caught.value) for name in named)
    assert "s3cr3t" not in str(caught.value)


def test_repr_tells_no_secret() -> None:
    assert "PRIVATE" not in repr(SECRETS)
