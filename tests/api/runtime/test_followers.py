"""Watches that last as long as a wait, on a real API server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from agent.kube import Client, Kind
from agent.runtime.followers import Followers, Subject

CONFIG_MAP = Kind("", "v1", "ConfigMap")
UNHEARD = Kind("example.com", "v1", "Unheard")
WAIT_SECONDS = 30

Object = dict[str, Any]


class Waker:
    """Takes what wakes: the delays in seconds."""

    def __init__(self) -> None:
        self.woken: queue.Queue[float] = queue.Queue()

    def __call__(self, after_seconds: float) -> None:
        self.woken.put(after_seconds)

    def wait(self) -> float:
        return self.woken.get(timeout=WAIT_SECONDS)


@pytest.fixture
def waker() -> Waker:
    return Waker()


@pytest.fixture
def followers(client: Client, waker: Waker) -> Iterator[Followers]:
    followers = Followers(client, waker)
    yield followers
    followers.follow(())
    for thread in list_threads():
        thread.join(WAIT_SECONDS)
    assert list_threads() == []


def list_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("follow ")]


def judge(objects: Sequence[Object], now: datetime) -> str | None:
    """The names of those that are not ready."""
    unready = sorted(obj["name"] for obj in objects if obj["ready"] != "yes")
    return ", ".join(unready) or None


def reduce_map(obj: Object) -> Object:
    return {"name": obj["metadata"]["name"], "ready": (obj.get("data") or {}).get("ready", "no")}


def make_subject(namespace: str, seen: str) -> Subject:
    return Subject(CONFIG_MAP, namespace, reduce_map, judge, seen)


@pytest.fixture
def put(client: Client, namespace: str) -> Callable[[str, str], None]:
    """Create or change a ConfigMap that is ready, or not."""

    def put(name: str, ready: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        if client.find(CONFIG_MAP, name, namespace) is None:
            client.create({**body, "data": {"ready": ready}})
        else:
            client.patch_merge(CONFIG_MAP, name, {"data": {"ready": ready}}, namespace)

    return put


Put = Callable[[str, str], None]


@pytest.fixture
def two(put: Put, client: Client, namespace: str) -> None:
    """Two objects that are not ready, and nothing else."""
    put("a", "no")
    put("b", "no")
    put("kube-root-ca.crt", "yes")


@pytest.mark.usefixtures("two")
def test_end_of_the_wait_wakes_at_once_and_another_reason_later(
    followers: Followers, waker: Waker, put: Put, namespace: str
) -> None:
    followers.follow([make_subject(namespace, "a, b")])
    put("a", "yes")
    assert waker.wait() > 0
    followers.follow([make_subject(namespace, "b")])
    put("b", "yes")
    while (after_seconds := waker.wait()) > 0:
        continue  # the change before was seen in two events
    assert after_seconds == 0


@pytest.mark.usefixtures("two")
def test_wait_that_has_ended_before_it_is_watched_wakes_at_once(
    followers: Followers, waker: Waker, put: Put, namespace: str
) -> None:
    put("a", "yes")
    put("b", "yes")
    followers.follow([make_subject(namespace, "a, b")])
    assert waker.wait() == 0


@pytest.mark.usefixtures("two")
def test_deleted_object_no_longer_counts(
    followers: Followers, waker: Waker, put: Put, client: Client, namespace: str
) -> None:
    put("a", "yes")
    followers.follow([make_subject(namespace, "b")])
    client.delete(CONFIG_MAP, "b", namespace)
    assert waker.wait() == 0


@pytest.mark.usefixtures("two")
def test_change_that_is_none_for_the_wait_does_not_wake(
    followers: Followers, waker: Waker, put: Put, namespace: str
) -> None:
    followers.follow([make_subject(namespace, "a, b")])
    put("a", "still no")
    put("c", "yes")
    put("b", "yes")
    assert waker.wait() > 0  # for `b`; what came before would have been first
    assert waker.woken.empty()


@pytest.mark.usefixtures("two")
def test_same_subject_is_watched_on_and_others_are_left(followers: Followers, namespace: str) -> None:
    followers.follow([make_subject(namespace, "a, b")])
    (thread,) = list_threads()
    followers.follow([make_subject(namespace, "a, b"), Subject(CONFIG_MAP, "default", reduce_map, judge, "x")])
    assert len(list_threads()) == 2
    followers.follow([make_subject(namespace, "a")])
    assert thread.is_alive()
    followers.follow([])
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def test_kind_that_is_not_served_is_left_to_the_polls(followers: Followers, waker: Waker) -> None:
    followers.follow([Subject(UNHEARD, None, reduce_map, judge, "x")])
    followers.follow([])
    for thread in list_threads():
        thread.join(WAIT_SECONDS)
    assert waker.woken.empty()


def test_subjects_are_told_apart_by_what_they_watch(namespace: str) -> None:
    same = Subject(CONFIG_MAP, namespace, reduce_map, partial(judge), "another verdict")
    assert {make_subject(namespace, "a"), same} == {same}
    assert make_subject(namespace, "a") != make_subject("default", "a")


def test_followers_end_with_their_client(kubeconfig: Any, waker: Waker, put: Put, namespace: str) -> None:
    put("a", "no")
    with Client.connect(kubeconfig) as client:
        Followers(client, waker).follow([make_subject(namespace, "a")])
        (thread,) = list_threads()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
