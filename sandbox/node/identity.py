"""Who a sandbox's node is: fixed when the sandbox is made, like a machine's hardware and its installation."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from hostops.files import read_json, write_atomically


@dataclass(frozen=True, slots=True)
class Identity:
    """Names, addresses and installed release of the node's cluster."""

    node_name: str
    node_ip: str
    machine_network: str
    cluster_name: str
    base_domain: str
    cluster_id: str
    infra_id: str
    version: str
    seed: bool = False
    """A node that becomes a seed: backups and storage are not configured."""

    @classmethod
    def make(cls, version: str, *, cluster_name: str = "sno1", seed: bool = False) -> Identity:
        """A new node: `seed` nodes get another address than the nodes that are upgraded from them."""
        network = "192.168.127" if seed else "192.168.126"
        return cls(
            node_name=cluster_name,
            node_ip=f"{network}.10",
            machine_network=f"{network}.0/24",
            cluster_name=cluster_name,
            base_domain="example.com",
            cluster_id=str(uuid.uuid4()),
            infra_id=f"{cluster_name}-{uuid.uuid4().hex[:5]}",
            version=version,
            seed=seed,
        )

    @classmethod
    def read(cls, path: Path) -> Identity:
        """Read what `write` wrote. Raises OSError, ValueError."""
        return cls(**read_json(path))

    def write(self, path: Path) -> None:
        """Keep it in the file `path`."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n", 0o644)
