"""What a cluster's objects tell about its identity (upgrade-and-oadp.md 9.1)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from seeds.identity import (
    IdentityError,
    find_hostname,
    find_release_registry,
    list_addresses,
    parse_common_name,
    parse_install_config,
    read_secret,
    read_text,
    select_master,
)
from tests.unit.seeds.certificates import make_certificate

INSTALL_CONFIG = """\
apiVersion: v1
baseDomain: example.com
metadata: {name: sno}
networking:
  machineNetwork:
  - cidr: 192.168.126.0/24
  - cidr: fd00::5/64
"""


def make_config_map(text: str) -> dict[str, Any]:
    metadata = {"name": "cluster-config-v1", "namespace": "kube-system"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"install-config": text}}


def make_node(*addresses: tuple[str, str]) -> dict[str, Any]:
    return {"status": {"addresses": [{"type": kind, "address": address} for kind, address in addresses]}}


def make_secret(**data: bytes) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}, "data": encoded}


def test_install_config_tells_names_and_networks() -> None:
    config = parse_install_config(make_config_map(INSTALL_CONFIG))
    assert (config.base_domain, config.cluster_name) == ("example.com", "sno")
    assert config.machine_networks == ("192.168.126.0/24", "fd00::5/64")
    assert config.text == INSTALL_CONFIG


def test_install_config_without_networks_has_none() -> None:
    text = INSTALL_CONFIG.partition("networking")[0]
    assert parse_install_config(make_config_map(text)).machine_networks == ()


@pytest.mark.parametrize("line", ["baseDomain: example.com", "metadata: {name: sno}"])
def test_install_config_without_a_name_is_an_error(line: str) -> None:
    key = line.partition(":")[0]
    with pytest.raises(IdentityError, match=f"install-config has no {key}"):
        parse_install_config(make_config_map(INSTALL_CONFIG.replace(line, "")))


@pytest.mark.parametrize("cidr", ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.255.255.0", "x/24", "''"])
def test_install_config_with_a_bad_network_names_it(cidr: str) -> None:
    text = f"networking: {{machineNetwork: [{{cidr: {cidr}}}]}}"
    with pytest.raises(IdentityError) as caught:
        parse_install_config(make_config_map(text))
    assert str(caught.value) == f"machineNetwork has an invalid CIDR: {cidr.strip(chr(39))}"


@pytest.mark.parametrize(
    ("config_map", "problem"),
    [
        pytest.param(
            {"kind": "ConfigMap", "metadata": {"name": "c"}}, "ConfigMap c has no key install-config", id="key"
        ),
        pytest.param(
            make_config_map("pullSecret: s3cr3t\n a: ["),
            "ConfigMap kube-system/cluster-config-v1: install-config is no YAML: line 2",
            id="yaml",
        ),
    ],
)
def test_install_config_that_can_not_be_read_says_why_without_its_content(
    config_map: dict[str, Any], problem: str
) -> None:
    with pytest.raises(IdentityError) as caught:
        parse_install_config(config_map)
    assert str(caught.value) == problem


@pytest.mark.parametrize("count", [0, 2])
def test_master_must_be_the_only_one(count: int) -> None:
    with pytest.raises(IdentityError, match=f"one master node in sno cluster, current number is {count}$"):
        select_master([{}] * count)


def test_addresses_keep_their_order() -> None:
    node = make_node(("InternalIP", "10.0.0.1"), ("Hostname", "sno1"), ("InternalIP", "fd00::1"))
    assert list_addresses(node, "InternalIP") == ("10.0.0.1", "fd00::1")
    assert find_hostname(node) == "sno1"


def test_node_without_hostname_is_an_error() -> None:
    with pytest.raises(IdentityError, match=r"^failed to find node hostname$"):
        find_hostname(make_node(("InternalIP", "10.0.0.1")))


@pytest.mark.parametrize(("image", "registry"), [("quay.io/a/b@sha256:1", "quay.io"), ("h:5000/a", "h:5000")])
def test_release_registry_is_that_of_the_first_container(image: str, registry: str) -> None:
    containers = [{"image": image}, {"image": "other/x"}]
    assert find_release_registry({"spec": {"template": {"spec": {"containers": containers}}}}) == registry


def test_release_registry_without_containers_is_an_error() -> None:
    with pytest.raises(IdentityError, match="Deployment cvo has no container"):
        find_release_registry({"kind": "Deployment", "metadata": {"name": "cvo"}})


def test_secret_and_config_map_values_are_text() -> None:
    assert read_secret(make_secret(key=b"PEM\n"), "key") == "PEM\n"
    assert read_text({"data": {"key": "PEM\n"}}, "key") == "PEM\n"


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (make_secret(), "Secret ns/s has no key key"),
        (make_secret(key=b"\xff"), "Secret ns/s: key is no text"),
        ({"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "??"}}, "Secret s: key is no text"),
    ],
)
def test_secret_that_can_not_be_read_is_named(secret: dict[str, Any], problem: str) -> None:
    with pytest.raises(IdentityError) as caught:
        read_secret(secret, "key")
    assert str(caught.value) == problem


@pytest.mark.parametrize("name", ["ingress-operator@1700000000", "*.apps.example.com", ""])
def test_common_name_is_that_of_the_first_certificate(name: str) -> None:
    assert parse_common_name(make_certificate(name) + make_certificate("issuer")) == name


def test_common_name_of_no_certificate_is_an_error() -> None:
    with pytest.raises(IdentityError, match="not a certificate in PEM"):
        parse_common_name("s3cr3t")
