import json

import pytest

from seeds.format import CpuTopology, SeedClusterInfo, SeedFormatError, TrustBundle

ALL_KEYS = {
    "seed_cluster_ocp_version": "4.15.3",
    "base_domain": "seed.example.com",
    "cluster_name": "seed",
    "node_ip": "10.0.0.1",
    "node_ips": ["192.168.127.10", "fd00::10"],
    "release_registry": "quay.io",
    "mirror_registry_configured": True,
    "sno_hostname": "seed1",
    "recert_image_pull_spec": "quay.io/edge-infrastructure/recert:v0",
    "has_proxy": True,
    "cluster_network_cidr": ["10.128.0.0/14"],
    "service_network_cidr": ["172.30.0.0/16"],
    "has_fips": True,
    "additionalTrustBundle": {"hasUserCaBundle": True, "proxyConfigmapName": "custom"},
    "container_storage_mountpoint_target": "/dev/disk/by-partlabel/var-lib-containers",
    "ingress_certificate_cn": "ingress-operator@1690000000",
    "machine_networks": ["192.168.127.0/24"],
    "cpu_topology": {"sockets": 1, "cores": 16, "threads": 32},
}


def test_info_with_all_keys_is_dumped_as_it_was_read():
    text = json.dumps(ALL_KEYS, separators=(",", ":"))
    assert SeedClusterInfo.parse(text).dump() == text


def test_info_without_values_keeps_only_the_keys_that_are_always_there():
    empty = SeedClusterInfo(trust_bundle=TrustBundle())
    bundle = '{"hasUserCaBundle":false,"proxyConfigmapName":""}'
    assert empty.dump() == f'{{"has_proxy":false,"has_fips":false,"additionalTrustBundle":{bundle}}}'


@pytest.mark.parametrize(
    "text", ["{}", '{"has_proxy": null, "node_ips": null, "additionalTrustBundle": null, "later": {}}']
)
def test_info_with_absent_null_and_unknown_keys_is_the_default(text):
    assert SeedClusterInfo.parse(text) == SeedClusterInfo()


def test_info_with_wrong_types_names_every_key():
    text = (
        '{"seed_cluster_ocp_version": 4.15, "has_proxy": "yes", "node_ips": "10.0.0.1", "machine_networks": [1],'
        ' "additionalTrustBundle": {"hasUserCaBundle": 1}, "cpu_topology": {"sockets": true, "cores": "8"}}'
    )
    with pytest.raises(SeedFormatError) as raised:
        SeedClusterInfo.parse(text)
    assert str(raised.value).split("; ") == [
        "seed_cluster_ocp_version must be a string",
        "node_ips must be a list of strings",
        "has_proxy must be true or false",
        "additionalTrustBundle.hasUserCaBundle must be true or false",
        "machine_networks must be a list of strings",
        "cpu_topology.sockets must be a whole number",
        "cpu_topology.cores must be a whole number",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', b"\xff\xfe", '{"additionalTrustBundle": []}'])
def test_info_that_is_no_object_is_refused(text):
    with pytest.raises(SeedFormatError):
        SeedClusterInfo.parse(text)


def test_addresses_prefer_the_list_over_the_older_key():
    assert SeedClusterInfo(node_ip="10.0.0.1").addresses == ("10.0.0.1",)
    assert SeedClusterInfo(node_ip="10.0.0.1", node_ips=("10.0.0.2",)).addresses == ("10.0.0.2",)
    assert SeedClusterInfo().addresses == ()


def test_cpu_topology_is_optional():
    assert SeedClusterInfo.parse("{}").cpu_topology is None
    assert SeedClusterInfo.parse(json.dumps(ALL_KEYS)).cpu_topology == CpuTopology(1, 16, 32)
