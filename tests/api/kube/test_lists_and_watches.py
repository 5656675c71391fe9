"""Collections: pages, selectors, changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from agent.kube import Client, Kind, Object, RetryPolicy, Watch, errors

if TYPE_CHECKING:
    from tests.api.kube.conftest import Gateway

CONFIG_MAP = Kind("", "v1", "ConfigMap")
EXPIRED = {"kind": "Status", "status": "Failure", "message": "too old", "reason": "Expired", "code": 410}


def create_config_map(client: Client, namespace: str, name: str = "x", **labels: str) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def follow_in_thread(watch: Watch) -> tuple[threading.Thread, list[str]]:
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.extend(event.type for event in watch))
    thread.start()
    return thread, seen


@pytest.fixture
def many(client: Client, namespace: str) -> int:
    """More ConfigMaps than a page holds."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: create_config_map(client, namespace, f"m{n}", parity=str(n % 2)), range(602)))
    return 602


def names(objects: list[Object]) -> set[str]:
    return {o["metadata"]["name"] for o in objects if o["metadata"]["name"] != "kube-root-ca.crt"}


def test_list_reads_all_pages(through_gateway: Client, gateway: Gateway, namespace: str, many: int) -> None:
    assert len(names(through_gateway.list(CONFIG_MAP, namespace))) == many
    assert len(gateway.requests) == 2


def test_list_selects_by_labels_and_fields(client: Client, namespace: str, many: int) -> None:
    assert len(client.list(CONFIG_MAP, namespace, labels="parity=1")) == many / 2
    assert names(client.list(CONFIG_MAP, namespace, fields="metadata.name=m7")) == {"m7"}


def test_list_whose_pages_expire_is_read_in_one(
    through_gateway: Client, gateway: Gateway, namespace: str, many: int
) -> None:
    gateway.pass_next()
    gateway.answer(410, EXPIRED)
    assert len(names(through_gateway.list(CONFIG_MAP, namespace))) == many
    assert len(gateway.requests) == 3


def test_list_of_all_namespaces_gives_complete_objects(client: Client, namespace: str) -> None:
    create_config_map(client, namespace)
    found = [o for o in client.list(CONFIG_MAP) if o["metadata"]["namespace"] == namespace]
    assert client.get(CONFIG_MAP, "x", namespace) in found


def test_watch_sees_changes_of_the_named_object_only(client: Client, namespace: str) -> None:
    create_config_map(client, namespace)
    create_config_map(client, namespace, "other")
    with client.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=30) as watch:
        assert next(watch).type == "ADDED"
        client.patch_merge(CONFIG_MAP, "x", {"data": {"a": "1"}}, namespace)
        event = next(watch)
        assert (event.type, event.object["data"]) == ("MODIFIED", {"a": "1"})
        client.delete(CONFIG_MAP, "x", namespace)
        assert next(watch).type == "DELETED"


def test_watch_from_a_version_sees_what_happened_since(client: Client, namespace: str) -> None:
    _, version = client.list_with_version(CONFIG_MAP, namespace)
    create_config_map(client, namespace)
    with client.watch(CONFIG_MAP, namespace, name="x", resource_version=version, timeout_seconds=30) as watch:
        assert next(watch).object["metadata"]["name"] == "x"


def test_watch_ends_when_its_time_is_over(client: Client, namespace: str) -> None:
    start = time.monotonic()
    assert list(client.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=0.5)) == []
    assert 0.5 <= time.monotonic() - start < 4


@pytest.mark.parametrize("stop", [lambda client, watch: watch.stop(), lambda client, watch: client.close()])
def test_watch_blocked_in_another_thread_can_be_stopped(
    through_gateway: Client, gateway: Gateway, namespace: str, stop: Callable[[Client, Watch], None]
) -> None:
    watch = through_gateway.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=60)
    thread, seen = follow_in_thread(watch)
    gateway.wait_for_requests(2)
    stop(through_gateway, watch)
    thread.join(5)
    assert not thread.is_alive()
    assert seen == []


def test_watch_stopped_before_it_starts_gives_nothing(client: Client, namespace: str) -> None:
    create_config_map(client, namespace)
    watch = client.watch(CONFIG_MAP, namespace, timeout_seconds=60)
    watch.stop()
    assert list(watch) == []


def test_watch_goes_on_after_lost_connections_and_misses_nothing(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    with through_gateway.watch(CONFIG_MAP, namespace, labels="a=1", timeout_seconds=30) as watch:
        for name in ("x", "y", "z"):
            create_config_map(client, namespace, name, a="1")
            event = next(watch)
            assert (event.type, event.object["metadata"]["name"]) == ("ADDED", name)
            gateway.cut()
            gateway.drop_before()
            gateway.answer(503, None)


def test_watch_of_a_server_that_stays_away_ends_with_one_clear_line(
    through_gateway: Client, gateway: Gateway, namespace: str
) -> None:
    watch = through_gateway.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=60)
    for _ in range(40):
        gateway.drop_before()
    with pytest.raises(errors.Unreachable, match=r"^lost the connection to the API server http://127.0.0.1"):
        next(watch)


def test_watch_from_a_lost_version_expires(through_gateway: Client, gateway: Gateway, namespace: str) -> None:
    watch = through_gateway.watch(CONFIG_MAP, namespace, resource_version="1", timeout_seconds=10)
    gateway.answer(410, EXPIRED)
    with pytest.raises(errors.WatchExpired, match="^too old$"):
        next(watch)


def test_watch_told_in_the_stream_that_its_version_is_lost_expires(
    through_gateway: Client, gateway: Gateway, namespace: str
) -> None:
    watch = through_gateway.watch(CONFIG_MAP, namespace, resource_version="1", timeout_seconds=10)
    gateway.answer_lines({"type": "ERROR", "object": EXPIRED})
    with pytest.raises(errors.WatchExpired, match="^too old$"):
        next(watch)


def test_watch_remembers_bookmarks_but_does_not_show_them(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    watch = through_gateway.watch(CONFIG_MAP, namespace, resource_version="1", timeout_seconds=10)
    bookmark = {"kind": "ConfigMap", "metadata": {"resourceVersion": "77"}}
    shown = {"kind": "ConfigMap", "metadata": {"resourceVersion": "78", "name": "x"}}
    gateway.answer_lines({"type": "BOOKMARK", "object": bookmark}, {"type": "BOOKMARK", "object": bookmark})
    gateway.answer_lines({"type": "MODIFIED", "object": shown})
    with watch:
        assert next(watch).object == shown
        assert watch.resource_version == "78"
    assert "resourceVersion=77" in gateway.queries[-1]


def test_watch_of_a_kind_that_is_not_served_says_so(client: Client) -> None:
    with pytest.raises(errors.KindNotServed):
        client.watch(Kind("nowhere.example.com", "v1", "Thing"), timeout_seconds=1)


def test_one_client_serves_many_threads(client: Client, namespace: str) -> None:
    def work(number: int) -> str:
        created = create_config_map(client, namespace, f"t{number}")
        client.update({**created, "data": {"n": str(number)}})
        read: str = client.get(CONFIG_MAP, f"t{number}", namespace)["data"]["n"]
        client.delete(CONFIG_MAP, f"t{number}", namespace)
        return read

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(work, range(100))) == [str(n) for n in range(100)]


def test_client_closed_while_it_waits_for_a_retry_gives_up_at_once(gateway: Gateway, admin_token: str) -> None:
    client = Client.remote(gateway.url, admin_token, None, policy=RetryPolicy(retry_seconds=60))
    gateway.answer(429, None, Retry_After="30")
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(client.version)
        gateway.wait_for_requests(1)
        client.close()
        with pytest.raises(errors.Closed):
            call.result(5)
    with pytest.raises(errors.Closed):
        client.version()
