"""What a Pod can learn about itself: fields and resources, for variables and files."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from agent.kube import Object

_SUFFIXES = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class PodConfigError(Exception):
    """The Pod asks for something that does not exist (yet); the text becomes the reason why its container waits."""


def field_value(pod: Object, path: str) -> str:
    """Value of a `fieldRef`. Raises PodConfigError for a path that Kubernetes does not offer either."""
    if match := _SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(pairs.items()))
    values = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": service_account(pod),
        "status.hostIP": pod["status"].get("hostIP", ""),
        "status.podIP": pod["status"].get("podIP", ""),
        "status.podIPs": ",".join(ip["ip"] for ip in pod["status"].get("podIPs") or []),
    }
    if path not in values:
        raise PodConfigError(f"unsupported fieldPath: {path}")
    return str(values[path])


def service_account(pod: Object) -> str:
    """Name of the Pod's service account; the API server's default is filled in."""
    return str(pod["spec"].get("serviceAccountName") or "default")


def resource_value(container: Object, resource: str, divisor: Any, allocatable: dict[str, str]) -> str:
    """Value of a `resourceFieldRef` such as `limits.memory`, in units of `divisor`, rounded up.

    A limit that is not set is what the node can give; a request that is not set is the limit, or 0.
    """
    which, _, name = resource.partition(".")
    resources = container.get("resources") or {}
    quantity = (resources.get(which) or {}).get(name)
    if quantity is None and which == "requests":
        quantity = (resources.get("limits") or {}).get(name, "0")
    if quantity is None:
        quantity = allocatable.get(name, "0")
    unit = parse_quantity(divisor or "0") or Decimal(1)
    return str(math.ceil(parse_quantity(quantity) / unit))


def parse_quantity(text: Any) -> Decimal:
    """Number of a Kubernetes quantity (`100m`, `20Mi`). Raises PodConfigError."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None or match[2] not in _SUFFIXES:
        raise PodConfigError(f"no quantity: {text}")
    return Decimal(match[1]) * _SUFFIXES[match[2]]
