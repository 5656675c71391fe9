"""The node's network: connections, name, addresses, local name server (post-pivot-and-rollback.md 5, step 6)."""

from __future__ import annotations

import logging
import os
import re

from agent.node.command_errors import describe_command_error
from agent.node.postpivot.addresses import make_dnsmasq_overrides, make_node_ip_hint, read_kubelet_addresses
from agent.node.postpivot.run import PostPivot, StepError
from agent.node.waiting import TELL_SECONDS, TimedOut, wait_for
from hostops import files
from hostops.runner import CommandError
from hostops.trees import copy_tree
from seeds.handover import CONFIGURATION, CONNECTIONS

logger = logging.getLogger(__name__)

NETWORK_MANAGER_CONNECTIONS = "/etc/NetworkManager/system-connections"
NMSTATE_FILE = f"{CONFIGURATION}/nmstate.yaml"
NODE_IP_HINT_FILE = "/etc/default/nodeip-configuration"
PRIMARY_IP_FILE = "/run/nodeip-configuration/primary-ip"
KUBELET_ADDRESSES_FILE = "/etc/systemd/system/kubelet.service.d/20-nodenet.conf"
DNSMASQ_FILE = "/etc/default/sno_dnsmasq_configuration_overrides"
_LOCALHOST = "localhost"
_NMSTATE_SECRET = re.compile(r"""(?:password|psk|secret|mka-cak|wep-key\d|pin)["']?\s*:\s*(\S.*)""")


def copy_connections(run: PostPivot) -> None:
    """Take over the connections of the old system; those of the new one stay."""
    source, target = run.root.path(CONNECTIONS), run.root.path(NETWORK_MANAGER_CONNECTIONS)
    logger.info("Copying nmconnection files if they were provided")
    try:
        if source.is_dir():
            copy_tree(source, target)
    except OSError as error:
        paths = f"from {CONNECTIONS} to {NETWORK_MANAGER_CONNECTIONS}"
        raise StepError(f"failed to copy nmconnection files {paths}, err: {error}") from error


def apply_static_network(run: PostPivot) -> None:
    """Configure the network as the installation of the node demands."""
    state = run.site.raw_nm_state_config
    if not state:
        logger.info("NMState config is empty, skipping")
        return
    files.write_atomically(run.root.path(NMSTATE_FILE), state, 0o600)
    try:
        run.runner.run("nmstatectl", "apply", NMSTATE_FILE, secrets=find_nmstate_secrets(state))
    except CommandError as error:
        text = describe_command_error(error)
        raise StepError(f"failed to apply nmstate config {NMSTATE_FILE}, err: {text}") from error


def find_nmstate_secrets(state: str) -> list[str]:
    """Return the passwords and keys in a network configuration: the rest of the line, and its first word."""
    rests = [match[1].strip() for match in map(_NMSTATE_SECRET.search, state.splitlines()) if match]
    return [text.strip("\"',}]") for rest in rests for text in (rest, rest.split()[0])]


def restart_network_manager(run: PostPivot) -> None:
    """Let NetworkManager read its connections again."""
    run.systemd.restart("NetworkManager.service")


def set_hostname(run: PostPivot) -> None:
    """Give the node its name; a configuration without one leaves the name that the network gave."""
    name = run.site.hostname
    if name == _LOCALHOST:
        raise StepError(f"provided {_INVALID_NAME}")
    if name:
        logger.info("Setting new hostname %s", name)
        try:
            run.runner.run("hostnamectl", "set-hostname", name)
        except CommandError as error:
            raise StepError(f"failed to set hostname {name}, err {describe_command_error(error)}") from error
    run.hostname = name or os.uname().nodename
    if run.hostname == _LOCALHOST:
        raise StepError(f"os {_INVALID_NAME}")


_INVALID_NAME = f"hostname is {_LOCALHOST} and it is invalid, please provide a valid hostname"


def write_node_ip_hint(run: PostPivot) -> None:
    """Tell nodeip-configuration in which networks the node's addresses are."""
    if not run.site.machine_networks:
        return
    hint = make_node_ip_hint(run.site.machine_networks)
    logger.info("Writing %s into %s", hint, NODE_IP_HINT_FILE)
    files.make_directory(run.root.path(NODE_IP_HINT_FILE).parent)
    files.write_atomically(run.root.path(NODE_IP_HINT_FILE), hint, 0o600)


def find_node_addresses(run: PostPivot) -> None:
    """Find out the node's addresses where the configuration does not tell them."""
    if run.site.node_ips:
        logger.info("Node IPs are already set to %s, skipping", list(run.site.node_ips))
        return
    if not run.root.path(PRIMARY_IP_FILE).exists():
        _await_addresses(run)
    try:
        text = run.root.path(KUBELET_ADDRESSES_FILE).read_text()
    except OSError as error:
        raise StepError(f"failed to read kubelet config from {KUBELET_ADDRESSES_FILE}, err: {error}") from error
    try:
        addresses = read_kubelet_addresses(text)
    except ValueError as error:
        raise StepError(f"failed to parse node IPs from kubelet config: {error}") from error
    run.site = run.site.model_copy(update={"node_ips": tuple(addresses)})


def _await_addresses(run: PostPivot) -> None:
    """Start the service that finds the addresses; return when it has."""
    primary = run.root.path(PRIMARY_IP_FILE)
    started = False

    def look() -> bool | None:
        nonlocal started
        try:
            if not started:  # the service may wait as well; asked again systemctl waits for the same start
                run.runner.run("systemctl", "start", "nodeip-configuration", timeout=TELL_SECONDS)
                started = True
        except CommandError as error:
            if not error.timed_out:
                text = describe_command_error(error)
                raise StepError(f"failed to start nodeip-configuration service, err {text}") from error
        return primary.exists() or None

    try:
        wait_for(look, PRIMARY_IP_FILE, run.clock, timeout_seconds=run.wait_seconds)
    except TimedOut as error:
        raise StepError(str(error)) from error


def write_dnsmasq_overrides(run: PostPivot) -> None:
    """Tell dnsmasq and the dispatcher script for which names and address they answer."""
    address = run.site.node_ips[0]
    logger.info("Setting new dnsmasq and forcedns dispatcher script configuration for %s", address)
    content = make_dnsmasq_overrides(run.site.cluster_name, run.site.base_domain, address)
    files.make_directory(run.root.path(DNSMASQ_FILE).parent)
    files.write_atomically(run.root.path(DNSMASQ_FILE), content, 0o600)


def restart_dnsmasq(run: PostPivot) -> None:
    """Let dnsmasq read its configuration again."""
    run.systemd.restart("dnsmasq.service")
