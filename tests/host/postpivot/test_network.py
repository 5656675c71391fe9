"""Step 6 of post-pivot-and-rollback.md 5: connections, name, addresses, name server."""

from __future__ import annotations

import os
import socket

import pytest

from agent.node.postpivot import network
from agent.workflow.outcome import Done
from tests.host.postpivot.conftest import OPENSHIFT, FolderNode


def test_connections_are_merged_into_those_of_the_node(node: FolderNode) -> None:
    source, target = f"{OPENSHIFT}/network-configuration/system-connections", "/etc/NetworkManager/system-connections"
    node.write(f"{source}/br-ex.nmconnection", "new", 0o600)
    node.write(f"{source}/sub/x.nmconnection", "deep", 0o640)
    node.write(f"{target}/br-ex.nmconnection", "old", 0o600)
    node.write(f"{target}/own.nmconnection", "own", 0o600)
    (node.root.path(source) / "link").symlink_to("br-ex.nmconnection")
    for _ in range(2):
        assert node.run_step("copy_connections") == Done()
    assert node.read(f"{target}/br-ex.nmconnection") == "new"
    assert node.read(f"{target}/own.nmconnection") == "own"
    assert node.mode(f"{target}/sub/x.nmconnection") == 0o640
    assert str(node.root.path(f"{target}/link").readlink()) == "br-ex.nmconnection"


def test_missing_connections_are_fine(node: FolderNode) -> None:
    assert node.run_step("copy_connections") == Done()


def test_connections_that_can_not_be_copied_are_told(node: FolderNode) -> None:
    node.write(f"{OPENSHIFT}/network-configuration/system-connections/a", "x")
    node.write("/etc/NetworkManager", "in the way")
    start = (
        "failed to configure networking, err: failed to copy nmconnection files from "
        "/opt/openshift/network-configuration/system-connections to /etc/NetworkManager/system-connections, err: "
    )
    assert node.fail_step("copy_connections").startswith(start)


def test_network_state_is_applied_from_a_file(node: FolderNode) -> None:
    node.set_site(raw_nm_state_config="interfaces: []")
    assert node.run_step("apply_static_network") == Done()
    assert node.commands == ["nmstatectl apply /opt/openshift/nmstate.yaml"]
    assert node.mode("/opt/openshift/nmstate.yaml") == 0o600
    assert node.root.path(f"{OPENSHIFT}/apply-static-network.done").exists()


def test_failing_network_state_names_the_file_and_no_secret(node: FolderNode) -> None:
    node.set_site(raw_nm_state_config="interfaces:\n- name: eth1\n  802.1x: {private-key-password: hunter22}\n")
    node.break_program("nmstatectl", 'echo "bad: $(<"$NODE/root$2")"; exit 1')
    message = node.fail_step("apply_static_network")
    assert message.startswith(
        "failed to configure networking, err: failed to apply static network: "
        "failed to apply nmstate config /opt/openshift/nmstate.yaml, err: "
    )
    assert "hunter22" not in message


def test_site_without_network_state_is_marked_all_the_same(node: FolderNode) -> None:
    assert node.run_step("apply_static_network") == Done()
    assert node.commands == []
    assert node.root.path(f"{OPENSHIFT}/apply-static-network.done").exists()


@pytest.mark.parametrize(
    ("step", "unit", "prefix"),
    [
        ("restart_network_manager", "NetworkManager.service", "failed to restart network manager service, err "),
        ("restart_dnsmasq", "dnsmasq.service", "failed to restart dnsmasq service, err "),
    ],
)
def test_services_are_restarted(node: FolderNode, step: str, unit: str, prefix: str) -> None:
    assert node.run_step(step) == Done()
    assert node.commands == [f"systemctl restart {unit}"]
    node.break_program("systemctl")
    assert node.fail_step(step) == (
        f"failed to configure networking, err: {prefix}"
        f"failed executing systemctl restart [{unit}]: no luck\n: exit status 1"
    )


def test_hostname_is_set_and_used(node: FolderNode) -> None:
    assert node.run_step("set_hostname") == Done()
    assert node.commands == ["hostnamectl set-hostname sno1"]
    assert node.run.hostname == "sno1"


def test_hostname_of_the_network_is_used_when_none_is_given(node: FolderNode) -> None:
    node.set_site(hostname="")
    assert node.run_step("set_hostname") == Done()
    assert node.commands == []
    assert node.run.hostname == socket.gethostname()


def test_hostname_localhost_is_refused(node: FolderNode) -> None:
    node.set_site(hostname="localhost")
    assert node.fail_step("set_hostname") == (
        "failed to configure networking, err: "
        "provided hostname is localhost and it is invalid, please provide a valid hostname"
    )


def test_hostname_localhost_of_the_network_is_refused(node: FolderNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.set_site(hostname="")
    monkeypatch.setattr(network.os, "uname", lambda: os.uname_result(("Linux", "localhost", "", "", "")))
    assert node.fail_step("set_hostname") == (
        "failed to configure networking, err: "
        "os hostname is localhost and it is invalid, please provide a valid hostname"
    )


def test_node_ip_hint_is_written(node: FolderNode) -> None:
    node.set_site(machine_networks=["10.0.0.7/24", "fd00::/64"])
    assert node.run_step("write_node_ip_hint") == Done()
    assert node.read("/etc/default/nodeip-configuration") == "KUBELET_NODEIP_HINT=10.0.0.7 fd00::"
    assert node.mode("/etc/default/nodeip-configuration") == 0o600


def test_no_node_ip_hint_without_machine_networks(node: FolderNode) -> None:
    node.set_site(machine_networks=[])
    assert node.run_step("write_node_ip_hint") == Done()
    assert not node.root.path("/etc/default/nodeip-configuration").exists()


def test_node_addresses_are_found_when_the_site_does_not_tell_them(node: FolderNode) -> None:
    node.set_site(node_ips=[])
    script = """
        cd $NODE/root
        mkdir -p run/nodeip-configuration etc/systemd/system/kubelet.service.d
        echo 'Environment="KUBELET_NODE_IPS=10.0.0.1,fd00::1"' >etc/systemd/system/kubelet.service.d/20-nodenet.conf
        touch run/nodeip-configuration/primary-ip
    """
    node.break_program("systemctl", script)
    assert node.run_step("find_node_addresses") == Done()
    assert node.commands == ["systemctl start nodeip-configuration"]
    assert node.run.site.node_ips == ("10.0.0.1", "fd00::1")


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        ("fail", "failed to start nodeip-configuration service, err failed executing systemctl start ["),
        ("missing", "failed to read kubelet config from /etc/systemd/system/kubelet.service.d/20-nodenet.conf, err: "),
        ("empty", "failed to parse node IPs from kubelet config: no KUBELET_NODE_IP or KUBELET_NODE_IPS found in "),
    ],
)
def test_node_addresses_that_can_not_be_found_are_told(node: FolderNode, prepare: str, text: str) -> None:
    node.set_site(node_ips=[])
    if prepare == "fail":
        node.break_program("systemctl")
    else:
        node.write("/run/nodeip-configuration/primary-ip", "")
    if prepare == "empty":
        node.write(network.KUBELET_ADDRESSES_FILE, "[Service]\n")
    assert node.fail_step("find_node_addresses").startswith(f"failed to configure networking, err: {text}")


def test_dnsmasq_learns_names_and_the_first_address(node: FolderNode) -> None:
    assert node.run_step("write_dnsmasq_overrides") == Done()
    assert node.read(network.DNSMASQ_FILE).splitlines() == [
        "SNO_CLUSTER_NAME_OVERRIDE=sno",
        "SNO_BASE_DOMAIN_OVERRIDE=example.com",
        "SNO_DNSMASQ_IP_OVERRIDE=192.168.126.10",
    ]


def test_service_that_takes_long_to_find_the_addresses_is_awaited(
    node: FolderNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "TELL_SECONDS", 0.3)
    node.set_site(node_ips=[])
    node.write(network.KUBELET_ADDRESSES_FILE, 'Environment="KUBELET_NODE_IP=10.0.0.1"')
    (node.root.path("/run") / "nodeip-configuration").mkdir(parents=True)
    script = "[ $(grep -c start $NODE/commands) -gt 2 ] || exec sleep 60\ntouch $NODE/root" + network.PRIMARY_IP_FILE
    node.break_program("systemctl", script)
    assert node.run_step("find_node_addresses") == Done()
    assert node.commands == ["systemctl start nodeip-configuration"] * 3
    assert node.run.site.node_ips == ("10.0.0.1",)
