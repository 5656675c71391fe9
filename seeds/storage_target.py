"""The device of the container storage as the cluster's configuration names it, for those who can not ask the node."""

from __future__ import annotations

from agent.kube import Client
from hostops.systemd import CONTAINER_STORAGE_UNIT, parse_unit_setting
from seeds.cluster import CURRENT_CONFIG_ANNOTATION, MACHINE_CONFIG, NODE


def find_configured_storage_target(client: Client) -> str | None:
    """Return what is mounted at `/var/lib/containers` by the node's machine config, None when it does not say.

    Raises ApiError.
    """
    for node in client.list(NODE):
        name = (node["metadata"].get("annotations") or {}).get(CURRENT_CONFIG_ANNOTATION)
        config = client.find(MACHINE_CONFIG, name) if name else None
        ignition = ((config or {}).get("spec") or {}).get("config") or {}
        for unit in (ignition.get("systemd") or {}).get("units") or ():
            if unit.get("name") == CONTAINER_STORAGE_UNIT:
                return parse_unit_setting(str(unit.get("contents", "")), "What")
    return None
