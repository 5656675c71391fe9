"""What both kinds of ConfigMaps, OADP content and extra manifests, have in common."""

from __future__ import annotations

from agent.kube import Object


def warn_of_binary_data(config_map: Object) -> list[str]:
    """Name the values that are not looked at, because only text can hold manifests.

    `kubectl create configmap --from-file` puts a file there that is not in UTF-8.
    """
    keys = ", ".join(sorted(config_map.get("binaryData") or {}))
    if not keys:
        return []
    return [f"binary values in the configMap {config_map['metadata']['name']} are not read, manifests are text: {keys}"]
