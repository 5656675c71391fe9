"""What a node needs to resolve the names of its own cluster, whatever the seed was called (C.3).

A seed's cluster has another name than the one that a node becomes part of. Each node therefore runs a dnsmasq whose
configuration is written at every start, from the values of the installation or from those that the program after the
pivot leaves in `OVERRIDES`.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

OVERRIDES = "/etc/default/sno_dnsmasq_configuration_overrides"
"""Shell variables SNO_CLUSTER_NAME_OVERRIDE, SNO_BASE_DOMAIN_OVERRIDE and SNO_DNSMASQ_IP_OVERRIDE; may be missing."""

MACHINE_CONFIG_NAME = "50-master-dnsmasq-configuration"
WAVE_ANNOTATION = "ran.openshift.io/ztp-deploy-wave"
UNIT = "dnsmasq.service"
_UNIT_FOLDER = "/etc/systemd/system"
_IGNITION_VERSION = "3.2.0"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN_LENGTH = 253

# Template beside this module -> (host path, permissions).
_FILES = {
    "dnsmasq_config.sh": ("/usr/local/bin/dnsmasq_config.sh", 0o755),
    "forcedns": ("/etc/NetworkManager/dispatcher.d/forcedns", 0o755),
    "single-node.conf": ("/etc/NetworkManager/conf.d/single-node.conf", 0o644),
}


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file on the node."""

    path: str
    mode: int
    content: str


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """What the installation calls the cluster, and the node's address."""

    name: str
    base_domain: str
    address: str

    def find_problems(self) -> list[str]:
        """Return everything that is wrong with the values; these would end up in shell scripts."""
        problems = []
        if not _LABEL.fullmatch(self.name):
            problems.append(f"cluster name {self.name!r} is not a DNS label: lower-case letters, digits and dashes")
        labels = self.base_domain.split(".")
        if len(f"{self.name}.{self.base_domain}") > _DOMAIN_LENGTH or not all(map(_LABEL.fullmatch, labels)):
            problems.append(f"base domain {self.base_domain!r} is not a DNS name such as example.com")
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            problems.append(f"{self.address!r} is not an IP address")
        else:
            if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
                problems.append(f"{self.address} is not an address that the node is reached by")
        return problems


def list_files(names: ClusterNames) -> list[HostFile]:
    """Return the files, with the values of the installation filled in. The unit is `read_unit`'s."""
    return [HostFile(path, mode, _fill(template, names)) for template, (path, mode) in _FILES.items()]


def read_unit() -> HostFile:
    """Return the unit that runs dnsmasq."""
    return HostFile(f"{_UNIT_FOLDER}/{UNIT}", 0o644, _read(UNIT))


def make_machine_config(names: ClusterNames, wave: str | None = None) -> dict[str, Any]:
    """Return the MachineConfig that brings all of it to a single node; `wave` is for clusters deployed by policies."""
    metadata: dict[str, Any] = {
        "name": MACHINE_CONFIG_NAME,
        "labels": {"machineconfiguration.openshift.io/role": "master"},
    }
    if wave is not None:
        metadata["annotations"] = {WAVE_ANNOTATION: wave}
    unit = {"name": UNIT, "enabled": True, "contents": read_unit().content}
    files = [
        {"path": file.path, "mode": file.mode, "overwrite": True, "contents": {"source": _encode(file.content)}}
        for file in list_files(names)
    ]
    ignition = {"ignition": {"version": _IGNITION_VERSION}, "storage": {"files": files}, "systemd": {"units": [unit]}}
    return {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfig",
        "metadata": metadata,
        "spec": {"config": ignition},
    }


def _fill(template: str, names: ClusterNames) -> str:
    values = {"@CLUSTER@": names.name, "@DOMAIN@": names.base_domain, "@ADDRESS@": names.address}
    text = _read(template)
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text()


def _encode(content: str) -> str:
    return f"data:text/plain;charset=utf-8;base64,{base64.b64encode(content.encode()).decode()}"
