"""One run of the program: the ways to the host, and what its steps find out on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from agent.node.waiting import Clock, Retrier
from agent.runtime.logs import mask_secrets as mask_credentials
from hostops.hostroot import HostRoot
from hostops.runner import Runner, mask_secrets
from hostops.systemd import Systemd

if TYPE_CHECKING:
    from agent.kube import Client
    from seeds.format import SeedClusterInfo
    from seeds.reconfiguration import SeedReconfiguration

Value = TypeVar("Value")

AUTH_FILE = "/var/lib/kubelet/config.json"


class StepError(Exception):
    """A step can not do its work; the text says why."""


@dataclass
class PostPivot:
    """A run. `wait_seconds` bounds the waits for somebody else's work, None is without end.

    `seed` and `site` (the cluster to become), `hostname` and `client` are set by the steps that find them out.
    """

    root: HostRoot
    runner: Runner
    clock: Clock = field(default_factory=Clock)
    wait_seconds: float | None = None
    hostname: str = field(default="", init=False)
    _seed: SeedClusterInfo | None = field(default=None, init=False)
    _site: SeedReconfiguration | None = field(default=None, init=False, repr=False)
    _client: Client | None = field(default=None, init=False)

    @property
    def systemd(self) -> Systemd:
        """The node's units."""
        return Systemd(self.runner)

    @property
    def seed(self) -> SeedClusterInfo:
        """The cluster that the seed image was taken from."""
        assert self._seed is not None
        return self._seed

    @seed.setter
    def seed(self, seed: SeedClusterInfo) -> None:
        self._seed = seed

    @property
    def site(self) -> SeedReconfiguration:
        """The cluster that this node is to be."""
        assert self._site is not None
        return self._site

    @site.setter
    def site(self, site: SeedReconfiguration) -> None:
        self._site = site

    @property
    def client(self) -> Client:
        """The API of the cluster, once it answers."""
        assert self._client is not None
        return self._client

    @client.setter
    def client(self, client: Client) -> None:
        self._client = client

    def mask(self, text: str) -> str:
        """Return `text` without the secrets of the site and what looks like some."""
        from agent.node.postpivot.secrets import list_secrets

        known = list_secrets(self._site) if self._site else []
        return mask_credentials(mask_secrets(text, known))

    def make_retrier(self, patience_seconds: Callable[[Exception], float]) -> Retrier:
        """Return what tries the calls of one step again."""
        return Retrier(self.clock, patience_seconds)
