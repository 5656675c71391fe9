"""post-pivot-and-rollback.md 5.1 and step 6e-6g."""

import pytest

from agent.node.postpivot.addresses import (
    AddressError,
    check_addresses,
    make_dnsmasq_overrides,
    make_node_ip_hint,
    read_kubelet_addresses,
)

INVALID_CIDR = 'invalid CIDR "10.0.0.7": invalid CIDR address: 10.0.0.7'
V4, V6, NET4, NET6 = "192.168.126.10", "fd00::1", "192.168.126.0/24", "fd00::/64"


@pytest.mark.parametrize(
    ("seed", "seed_networks", "site", "site_networks"),
    [
        ([V4], [], [V4], [NET4]),
        ([V4], ["10.0.0.0/8"], [V4], [NET4]),
        ([V4, V6], [NET4, NET6], [V4, V6], [NET4, NET6]),
        (["::ffff:10.0.0.1"], [], [V4], [NET4]),
        ([V4], [], [V4], ["192.168.126.7/24"]),
    ],
    ids=["seed-without-networks", "other-network", "dual", "mapped-is-ipv4", "host-bits"],
)
def test_addresses_that_fit_are_accepted(seed, seed_networks, site, site_networks):
    check_addresses(seed, seed_networks, site, site_networks)


@pytest.mark.parametrize(
    ("seed", "seed_networks", "site", "site_networks", "text"),
    [
        pytest.param(
            [],
            [],
            [V4],
            [NET4],
            "node IPs must be provided in both seedClusterInfo and seedReconfiguration",
            id="1-seed",
        ),
        pytest.param(
            [V4], [], [], [], "node IPs must be provided in both seedClusterInfo and seedReconfiguration", id="1-site"
        ),
        pytest.param(
            [V4], [], [V4, V6], [NET4, NET6], "node IPs count mismatch: seed has 1, reconfiguration has 2", id="2"
        ),
        pytest.param(["x"], [], [V4], [NET4], 'invalid seed node IP at index 0: invalid IP "x"', id="3-seed"),
        pytest.param(
            [V4, V6],
            [],
            [V4, "fe80::1%eth0"],
            [],
            'invalid reconfiguration node IP at index 1: invalid IP "fe80::1%eth0"',
            id="3-site",
        ),
        pytest.param(
            [V4],
            [],
            [V6],
            [NET6],
            "node IP family mismatch at index 0: seed has ipv4, reconfiguration has ipv6",
            id="3-family",
        ),
        pytest.param(
            [V4, V6],
            [],
            [V6, V4],
            [],
            "node IP family mismatch at index 0: seed has ipv4, reconfiguration has ipv6",
            id="3-order",
        ),
        pytest.param([V4], [], [V4], [], "machineNetworks count (0) must equal node IPs count (1)", id="4-count"),
        pytest.param(
            [V4],
            [],
            [V4],
            ["10.0.0.7"],
            f"invalid reconfiguration machineNetwork at index 0: {INVALID_CIDR}",
            id="4-cidr",
        ),
        pytest.param(
            [V4],
            [],
            [V4],
            [NET6],
            "machineNetwork family at index 0 (ipv6) must match node IP family (ipv4)",
            id="4-family",
        ),
        pytest.param(
            [V4],
            [NET4, NET6],
            [V4],
            [NET4],
            "seed machineNetworks count (2) must equal reconfiguration machineNetworks count (1)",
            id="5-count",
        ),
        pytest.param(
            [V4],
            [NET6],
            [V4],
            [NET4],
            "machineNetwork family mismatch at index 0: seed has ipv6, reconfiguration has ipv4",
            id="5-family",
        ),
    ],
)
def test_addresses_that_do_not_fit_are_told(seed, seed_networks, site, site_networks, text):
    with pytest.raises(AddressError) as error:
        check_addresses(seed, seed_networks, site, site_networks)
    assert str(error.value) == text


@pytest.mark.parametrize("bad", ["10.0.0.0/255.0.0.0", "10.0.0.0/33", "010.0.0.0/8", "/24", "x/24", "fe80::1%1/64"])
def test_network_that_is_none_is_refused(bad):
    with pytest.raises(AddressError, match="^invalid reconfiguration machineNetwork at index 0: invalid CIDR"):
        check_addresses([V4], [], [V4], [bad])


@pytest.mark.parametrize(
    ("networks", "hint"),
    [
        (["10.0.0.7/24"], "10.0.0.7"),
        (["192.168.126.0/24", "FD00:0:0::/64"], "192.168.126.0 fd00::"),
    ],
)
def test_node_ip_hint_names_the_addresses_as_written(networks, hint):
    assert make_node_ip_hint(networks) == f"KUBELET_NODEIP_HINT={hint}"


def test_node_ip_hint_of_a_bad_network_is_refused():
    with pytest.raises(AddressError) as error:
        make_node_ip_hint(["10.0.0.7"])
    assert str(error.value) == "failed to parse machine network 10.0.0.7, err: invalid CIDR address: 10.0.0.7"


@pytest.mark.parametrize(
    ("lines", "addresses"),
    [
        (['Environment="KUBELET_NODE_IP=10.0.0.1"'], ["10.0.0.1"]),
        (['Environment="KUBELET_NODE_IP=10.0.0.1" "KUBELET_NODE_IPS=10.0.0.2, fd00::2"'], ["10.0.0.2", "fd00::2"]),
        (['Environment="KUBELET_NODE_IP=1.1.1.1"', 'Environment="KUBELET_NODE_IP=2.2.2.2"'], ["2.2.2.2"]),
        (['Environment="KUBELET_NODE_IP=1.1.1.1"', 'Environment="OTHER=1"'], ["1.1.1.1"]),
    ],
    ids=["one", "list-wins", "later-line-wins", "other-lines"],
)
def test_kubelet_addresses_are_read_from_its_drop_in(lines, addresses):
    assert read_kubelet_addresses("\n".join(["[Service]", *lines])) == addresses


@pytest.mark.parametrize(
    "text", ["", 'X="KUBELET_NODE_IP=1.1.1.1"', 'Environment="KUBELET_NODE_IP="', "Environment=KUBELET_NODE_IP=1"]
)
def test_drop_in_without_addresses_is_refused(text):
    with pytest.raises(AddressError, match="^no KUBELET_NODE_IP or KUBELET_NODE_IPS found in kubelet config$"):
        read_kubelet_addresses(text)


def test_dnsmasq_overrides_have_three_lines_and_no_line_break_at_the_end():
    assert make_dnsmasq_overrides("sno", "example.com", "10.0.0.1") == (
        "SNO_CLUSTER_NAME_OVERRIDE=sno\nSNO_BASE_DOMAIN_OVERRIDE=example.com\nSNO_DNSMASQ_IP_OVERRIDE=10.0.0.1"
    )
