"""Clients that go wrong: a process that dies after its n-th write, a network that fails at the n-th call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agent.kube import Client, Kind, Object, errors

T = TypeVar("T")


class Killed(BaseException):
    """Nothing in the agent may catch it."""


class Fate(Protocol):
    """What happens to the calls of all clients of one process; the call itself is `call`."""

    def carry_out(self, call: Callable[[], T], *, writes: bool) -> T:
        """Make the call, or do not."""


@dataclass
class Life:
    """What is left to live, in writes. The last one reaches the API server, its answer nobody."""

    writes: int
    is_over: bool = False

    def carry_out(self, call: Callable[[], T], *, writes: bool) -> T:
        if self.is_over:
            raise Killed
        answer = call()
        self.writes -= writes
        if self.writes <= 0:
            self.is_over = True
            raise Killed
        return answer


@dataclass
class Outage:
    """The n-th call does not get through, once."""

    calls: int
    is_over: bool = False

    def carry_out(self, call: Callable[[], T], *, writes: bool) -> T:
        self.calls -= 1
        if self.calls == 0:
            self.is_over = True
            raise errors.Unreachable("lost the connection")
        return call()


class FatedClient(Client):
    """A client whose calls have a fate; dry runs are reads."""

    fate: Fate

    @classmethod
    def of(cls, kubeconfig: Path, fate: Fate) -> FatedClient:
        client = cls.connect(kubeconfig)
        assert isinstance(client, cls)
        client.fate = fate
        return client

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        return self.fate.carry_out(lambda: Client.get(self, kind, name, namespace), writes=False)

    def list(self, *words: Any, **options: Any) -> list[Object]:
        return self.fate.carry_out(lambda: Client.list(self, *words, **options), writes=False)

    def create(self, obj: Object, **options: Any) -> Object:
        writes = not options.get("dry_run")
        return self.fate.carry_out(lambda: Client.create(self, obj, **options), writes=writes)

    def update(self, obj: Object, **options: Any) -> Object:
        return self.fate.carry_out(lambda: Client.update(self, obj, **options), writes=True)

    def patch_merge(self, *words: Any, **options: Any) -> Object:
        return self.fate.carry_out(lambda: Client.patch_merge(self, *words, **options), writes=True)

    def delete(self, *words: Any, **options: Any) -> None:
        return self.fate.carry_out(lambda: Client.delete(self, *words, **options), writes=True)

    def request(self, method: str, path: str, **options: Any) -> Any:
        return self.fate.carry_out(lambda: Client.request(self, method, path, **options), writes=method != "GET")


def live_through(kubeconfig: Path, fate: Fate, work: Callable[[Callable[[], Client]], object]) -> None:
    """Do `work`, which gets a way to open clients, until it ends or the process dies."""
    opened: list[Client] = []

    def connect() -> Client:
        opened.append(FatedClient.of(kubeconfig, fate))
        return opened[-1]

    with suppress(Killed):
        work(connect)
    for client in opened:
        client.close()


def lives() -> Iterator[Life]:
    """Longer and longer lives, until one was long enough."""
    for writes in range(1, 100):
        life = Life(writes)
        yield life
        if not life.is_over:
            assert writes > 1, "nothing was written"
            return
    raise AssertionError("a hundred writes were not enough")


def outages() -> Iterator[Outage]:
    """Outages later and later in the work, until one did not come any more."""
    for calls in range(1, 200):
        outage = Outage(calls)
        yield outage
        if not outage.is_over:
            assert calls > 1, "nothing was asked"
            return
    raise AssertionError("two hundred calls were not enough")
