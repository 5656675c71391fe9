"""What the stateroot is to be built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seeds.autorollback import AutoRollbackConfig


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """All input of the stateroot setup.

    `pull_secret`: content of an auth file for the seed image, None for the node's own. `kubeconfig_crypto`: file name
    -> content of the keys that keep the cluster's kubeconfigs valid on the other side.
    """

    image: str
    version: str
    stateroot: str
    auto_rollback: AutoRollbackConfig
    kubeconfig_crypto: Mapping[str, bytes]
    pull_secret: bytes | None = None
