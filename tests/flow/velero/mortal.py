"""A process that dies: a client whose n-th write reaches the API server, and that never gets any further."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.kube import Client, Object


class Killed(BaseException):
    """Nothing in the agent may catch it."""


@dataclass
class Life:
    """What is left to live, in writes; shared by all clients of one process."""

    writes: int
    is_over: bool = False

    def end_with(self, answer: Any) -> Any:
        self.writes -= 1
        if self.writes <= 0:
            self.is_over = True
            raise Killed
        return answer

    def check(self) -> None:
        if self.is_over:
            raise Killed


class MortalClient(Client):
    """Dry runs and reads are no writes."""

    def __init__(self, open_access: Any, **options: Any) -> None:
        super().__init__(open_access, **options)
        self.life = Life(1 << 30)

    @classmethod
    def of(cls, kubeconfig: Path, life: Life) -> MortalClient:
        client = cls.connect(kubeconfig)
        assert isinstance(client, cls)
        client.life = life
        return client

    def create(self, obj: Object, **options: Any) -> Object:
        self.life.check()
        answer = super().create(obj, **options)
        return answer if options.get("dry_run") else self.life.end_with(answer)

    def update(self, obj: Object, **options: Any) -> Object:
        self.life.check()
        return self.life.end_with(super().update(obj, **options))

    def patch_merge(self, *words: Any, **options: Any) -> Object:
        self.life.check()
        return self.life.end_with(super().patch_merge(*words, **options))

    def delete(self, *words: Any, **options: Any) -> None:
        self.life.check()
        super().delete(*words, **options)
        self.life.end_with(None)

    def request(self, method: str, path: str, **options: Any) -> Any:
        self.life.check()
        answer = super().request(method, path, **options)
        return answer if method == "GET" else self.life.end_with(answer)


def live_through(kubeconfig: Path, life: Life, work: Callable[[Callable[[], Client]], object]) -> None:
    """Do `work`, which gets a way to open clients, until the end of this life."""
    opened: list[Client] = []

    def connect() -> Client:
        opened.append(MortalClient.of(kubeconfig, life))
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
