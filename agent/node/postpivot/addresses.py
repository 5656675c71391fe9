"""The node's addresses: what kubelet and dnsmasq are told, and whether seed and site fit. Pure functions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

_VARIABLE = re.compile(r'"(KUBELET_NODE_IPS?)=([^"]*)"')


class AddressError(ValueError):
    """Addresses or networks are missing, malformed or do not fit; the text says which."""


def check_addresses(
    seed_addresses: Sequence[str],
    seed_networks: Sequence[str],
    site_addresses: Sequence[str],
    site_networks: Sequence[str],
) -> None:
    """Check that the site can take the seed's place (post-pivot-and-rollback.md 5.1). Raises AddressError.

    The order counts: the primary family comes first. An IPv4 address mapped to IPv6 counts as IPv4.
    """
    if not seed_addresses or not site_addresses:
        raise AddressError("node IPs must be provided in both seedClusterInfo and seedReconfiguration")
    if len(seed_addresses) != len(site_addresses):
        counts = f"seed has {len(seed_addresses)}, reconfiguration has {len(site_addresses)}"
        raise AddressError(f"node IPs count mismatch: {counts}")
    families = []
    for index, (of_seed, of_site) in enumerate(zip(seed_addresses, site_addresses, strict=True)):
        seed_family = _get_address_family(of_seed, f"invalid seed node IP at index {index}")
        families.append(_get_address_family(of_site, f"invalid reconfiguration node IP at index {index}"))
        if seed_family != families[-1]:
            kinds = f"seed has {seed_family}, reconfiguration has {families[-1]}"
            raise AddressError(f"node IP family mismatch at index {index}: {kinds}")
    _check_networks(seed_networks, site_networks, families)


def _check_networks(seed_networks: Sequence[str], site_networks: Sequence[str], address_families: list[str]) -> None:
    if len(site_networks) != len(address_families):
        raise AddressError(
            f"machineNetworks count ({len(site_networks)}) must equal node IPs count ({len(address_families)})"
        )
    families = []
    for index, (network, address_family) in enumerate(zip(site_networks, address_families, strict=True)):
        families.append(_get_network_family(network, f"invalid reconfiguration machineNetwork at index {index}"))
        if families[-1] != address_family:
            raise AddressError(
                f"machineNetwork family at index {index} ({families[-1]}) must match node IP family ({address_family})"
            )
    if not seed_networks:
        return
    if len(seed_networks) != len(site_networks):
        raise AddressError(
            f"seed machineNetworks count ({len(seed_networks)}) must equal "
            f"reconfiguration machineNetworks count ({len(site_networks)})"
        )
    for index, (network, family) in enumerate(zip(seed_networks, families, strict=True)):
        seed_family = _get_network_family(network, f"invalid seed machineNetwork at index {index}")
        if seed_family != family:
            kinds = f"seed has {seed_family}, reconfiguration has {family}"
            raise AddressError(f"machineNetwork family mismatch at index {index}: {kinds}")


def make_node_ip_hint(networks: Iterable[str]) -> str:
    """Return the content of the file that tells which address kubelet shall choose: one in each machine network.

    It names the address part of each network as it is written, 10.0.0.7 for 10.0.0.7/24. Raises AddressError.
    """
    addresses = []
    for network in networks:
        try:
            interface = _parse_network(network)
        except ValueError:
            raise AddressError(
                f"failed to parse machine network {network}, err: invalid CIDR address: {network}"
            ) from None
        addresses.append(str(_unmap(interface.ip)))
    return f"KUBELET_NODEIP_HINT={' '.join(addresses)}"


def read_kubelet_addresses(unit_text: str) -> list[str]:
    """Return the addresses in the drop-in of kubelet's unit that nodeip-configuration writes. Raises AddressError."""
    found: list[str] = []
    for line in unit_text.splitlines():
        if "Environment=" in line:
            variables = dict(_VARIABLE.findall(line))
            text = variables.get("KUBELET_NODE_IPS") or variables.get("KUBELET_NODE_IP") or ""
            found = [address.strip() for address in text.split(",") if address.strip()] or found
    if not found:
        raise AddressError("no KUBELET_NODE_IP or KUBELET_NODE_IPS found in kubelet config")
    return found


def make_dnsmasq_overrides(cluster_name: str, base_domain: str, address: str) -> str:
    """Return the content of the file from which dnsmasq and the dispatcher script of a single node are configured."""
    return (
        f"SNO_CLUSTER_NAME_OVERRIDE={cluster_name}\n"
        f"SNO_BASE_DOMAIN_OVERRIDE={base_domain}\n"
        f"SNO_DNSMASQ_IP_OVERRIDE={address}"
    )


def _get_address_family(text: str, prefix: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise AddressError(f'{prefix}: invalid IP "{text}"') from None
    if "%" in text:
        raise AddressError(f'{prefix}: invalid IP "{text}"')
    return f"ipv{_unmap(address).version}"


def _get_network_family(text: str, prefix: str) -> str:
    try:
        interface = _parse_network(text)
    except ValueError as error:
        raise AddressError(f'{prefix}: invalid CIDR "{text}": {error}') from None
    return f"ipv{_unmap(interface.ip).version}"


def _parse_network(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdigit()) or "%" in address:
        raise ValueError(f"invalid CIDR address: {text}")
    return ipaddress.ip_interface(text)


def _unmap(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
