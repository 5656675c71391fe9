"""What makes a cluster itself, told by its objects: names, addresses, keys (upgrade-and-oadp.md 9.1). Pure.

A seed carries one cluster's identity, the reconfiguration after a pivot another's; both are read from the same objects.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

MASTER_LABEL = "node-role.kubernetes.io/master"
INSTALL_CONFIG_KEY = "install-config"

_PREFIX_LENGTH = re.compile(r"/[0-9]{1,3}$")


class IdentityError(ValueError):
    """An object does not tell what it should; the text names the object and never shows a secret."""


@dataclass(frozen=True, slots=True)
class InstallConfig:
    """What the cluster was installed with; `text` is the whole configuration, as it was given."""

    text: str = field(repr=False)
    base_domain: str
    cluster_name: str
    machine_networks: tuple[str, ...]


def parse_install_config(config_map: Mapping[str, Any]) -> InstallConfig:
    """Read the ConfigMap `kube-system/cluster-config-v1`. Raises IdentityError."""
    text = read_text(config_map, INSTALL_CONFIG_KEY)
    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
    except yaml.YAMLError as error:
        raise IdentityError(f"{describe(config_map)}: install-config is no YAML: {_locate(error)}") from None
    networks = [entry.get("cidr", "") for entry in _pick(config, "networking", "machineNetwork") or ()]
    for network in networks:
        if not _is_network(network):
            raise IdentityError(f"machineNetwork has an invalid CIDR: {network}")
    base_domain, cluster_name = _pick(config, "baseDomain"), _pick(config, "metadata", "name")
    for key, value in (("baseDomain", base_domain), ("metadata.name", cluster_name)):
        if not value or not isinstance(value, str):
            raise IdentityError(f"{describe(config_map)}: install-config has no {key}")
    return InstallConfig(text, base_domain, cluster_name, tuple(networks))


def select_master(nodes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the only node of a single-node cluster, given all its masters. Raises IdentityError."""
    if len(nodes) != 1:
        raise IdentityError(f"we should have one master node in sno cluster, current number is {len(nodes)}")
    return nodes[0]


def list_addresses(node: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return the node's addresses of a kind (`InternalIP`, `Hostname`), the primary one first."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    return tuple(entry["address"] for entry in addresses if entry.get("type") == kind)


def find_hostname(node: Mapping[str, Any]) -> str:
    """Return the node's name for itself. Raises IdentityError."""
    names = list_addresses(node, "Hostname")
    if not names:
        raise IdentityError("failed to find node hostname")
    return names[0]


def find_release_registry(deployment: Mapping[str, Any]) -> str:
    """Return where the release comes from: the registry of the cluster-version-operator's image.

    Raises IdentityError.
    """
    containers = _pick(deployment, "spec", "template", "spec", "containers")
    if not containers or not containers[0].get("image"):
        raise IdentityError(f"{describe(deployment)} has no container with an image")
    return str(containers[0]["image"]).partition("/")[0]


def read_field(obj: Mapping[str, Any], part: str, key: str) -> str:
    """Return the text `<part>.<key>` of an object. Raises IdentityError when it is absent or empty."""
    value = (obj.get(part) or {}).get(key)
    if not value:
        raise IdentityError(f"{describe(obj)} has no {part}.{key}")
    return str(value)


def read_text(config_map: Mapping[str, Any], key: str) -> str:
    """Return one value of a ConfigMap. Raises IdentityError when it is absent."""
    value = (config_map.get("data") or {}).get(key)
    if value is None:
        raise IdentityError(f"{describe(config_map)} has no key {key}")
    return str(value)


def read_secret(secret: Mapping[str, Any], key: str) -> str:
    """Return one value of a Secret as text. Raises IdentityError when it is absent or no text."""
    value = (secret.get("data") or {}).get(key)
    if value is None:
        raise IdentityError(f"{describe(secret)} has no key {key}")
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise IdentityError(f"{describe(secret)}: {key} is no text") from None


def parse_common_name(pem: str) -> str:
    """Return the common name of the first certificate's subject, "" when it has none. Raises IdentityError."""
    from cryptography import x509  # megabytes, for one field at a time
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_certificate(pem.encode()).subject
    except ValueError as error:
        raise IdentityError(f"not a certificate in PEM: {error}") from None
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[-1].value) if names else ""


def describe(obj: Mapping[str, Any]) -> str:
    """Return kind, namespace and name of an object, for messages."""
    metadata = obj.get("metadata") or {}
    name = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    return f"{obj.get('kind', 'object')} {name}"


def _pick(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _is_network(text: object) -> bool:
    """Tell whether a text is an address with a prefix length; bits behind the prefix are fine."""
    if not isinstance(text, str) or not _PREFIX_LENGTH.search(text):
        return False
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _locate(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark else "unreadable"
