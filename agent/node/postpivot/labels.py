"""Labels that the node of the upgraded cluster had (post-pivot-and-rollback.md 5.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping

_GIVEN_BY_OTHERS = frozenset(
    {
        *("beta.kubernetes.io/arch", "beta.kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname"),
        *("kubernetes.io/os", "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"),
        *("node-role.kubernetes.io/worker", "node.openshift.io/os_id"),
    }
)


def choose_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels to set again: without those that kubelet and the cluster's operators set themselves."""
    return {key: value for key, value in labels.items() if key not in _GIVEN_BY_OTHERS}
