"""Loopback ports of a sandbox: chosen once, kept for its life, because kubeconfigs and pull specs name them."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from hostops.files import read_json, write_atomically
from sandbox.controlplane.ports import describe_listener, is_free
from sandbox.node.failure import SandboxError

# Below the range from which the kernel takes the local ports of outgoing connections.
_FIRST, _LAST = 20000, 31999


class PortTakenError(SandboxError):
    """Another program listens on a port of the sandbox; the text names both."""


@dataclass(frozen=True, slots=True)
class Ports:
    """API server and kubelet of the node, container registry and S3 server outside of it."""

    api: int
    kubelet: int
    registry: int
    s3: int

    @classmethod
    def choose(cls) -> Ports:
        """Free ports, different from each other."""
        chosen: list[int] = []
        while len(chosen) < len(fields(cls)):
            port = random.randint(_FIRST, _LAST)  # noqa: S311
            if port not in chosen and is_free(port):
                chosen.append(port)
        return cls(*chosen)

    @classmethod
    def read(cls, path: Path) -> Ports:
        """Read what `write` wrote. Raises OSError, ValueError."""
        return cls(**read_json(path))

    def write(self, path: Path) -> None:
        """Keep them in the file `path`."""
        write_atomically(path, json.dumps(asdict(self)) + "\n", 0o644)

    def check_free(self) -> None:
        """Raise PortTakenError when one of them is in use."""
        for name, port in asdict(self).items():
            if not is_free(port):
                raise PortTakenError(
                    f"port {port} of the sandbox's {name} is in use by {describe_listener(port)}; stop that program"
                )
