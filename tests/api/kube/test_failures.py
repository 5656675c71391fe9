"""Servers and connections that fail: what is repeated, what never is, and what the user reads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.kube import Client, Kind, RetryPolicy, errors

if TYPE_CHECKING:
    from tests.api.kube.conftest import Gateway

CONFIG_MAP = Kind("", "v1", "ConfigMap")
BUSY = {"kind": "Status", "message": "busy", "reason": "TooManyRequests", "code": 429}


def config_map(namespace: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}}


def test_a_busy_server_is_asked_again_after_the_time_it_names(through_gateway: Client, gateway: Gateway) -> None:
    gateway.answer(429, BUSY, Retry_After="1")
    start = time.monotonic()
    assert through_gateway.version()
    assert time.monotonic() - start >= 1
    assert gateway.requests == ["GET /version"] * 2


def test_a_server_busy_for_longer_than_we_wait_is_reported_at_once(through_gateway: Client, gateway: Gateway) -> None:
    gateway.answer(429, BUSY, Retry_After="60")
    with pytest.raises(errors.TooManyRequests, match="^busy$") as caught:
        through_gateway.version()
    assert caught.value.retry_after_seconds == 60
    assert len(gateway.requests) == 1


def test_a_create_is_repeated_when_the_server_was_too_busy_to_act(
    through_gateway: Client, gateway: Gateway, namespace: str
) -> None:
    gateway.answer(429, BUSY, Retry_After="0")
    through_gateway.create(config_map(namespace))
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_read_is_repeated_after_a_server_error(through_gateway: Client, gateway: Gateway, status: int) -> None:
    gateway.answer(status)
    gateway.answer(status)
    assert through_gateway.version()
    assert len(gateway.requests) == 3


def test_a_read_is_repeated_after_a_lost_connection(through_gateway: Client, gateway: Gateway) -> None:
    gateway.drop_before()
    gateway.drop_after()
    assert through_gateway.version()


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "server_error"])
def test_a_create_of_unknown_outcome_is_never_repeated(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str, fault: str
) -> None:
    getattr(gateway, fault)()
    with pytest.raises(errors.Transient):
        through_gateway.create(config_map(namespace))
    assert len(gateway.requests) == 1
    assert (client.find(CONFIG_MAP, "x", namespace) is not None) == (fault == "drop_after")


def test_a_json_patch_of_unknown_outcome_is_never_repeated(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    client.create(config_map(namespace))
    gateway.drop_after()
    with pytest.raises(errors.Unreachable):
        through_gateway.patch_json(CONFIG_MAP, "x", [{"op": "add", "path": "/data", "value": {}}], namespace)
    assert len(gateway.requests) == 1


def test_an_update_that_was_done_and_repeated_conflicts(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    old = client.create(config_map(namespace))
    gateway.drop_after()
    with pytest.raises(errors.Conflict):
        through_gateway.update({**old, "data": {"a": "1"}})
    assert client.get(CONFIG_MAP, "x", namespace)["data"] == {"a": "1"}


def test_a_delete_that_was_done_and_repeated_is_done(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    client.create(config_map(namespace))
    gateway.drop_after()
    through_gateway.delete(CONFIG_MAP, "x", namespace)
    assert len(gateway.requests) == 2
    assert client.find(CONFIG_MAP, "x", namespace) is None


def test_a_merge_patch_is_repeated_after_a_lost_answer(
    through_gateway: Client, gateway: Gateway, client: Client, namespace: str
) -> None:
    client.create(config_map(namespace))
    gateway.drop_after()
    patched = through_gateway.patch_merge(CONFIG_MAP, "x", {"data": {"a": "1"}}, namespace)
    assert patched["data"] == {"a": "1"}


def test_a_server_that_keeps_failing_is_given_up_in_time(through_gateway: Client, gateway: Gateway) -> None:
    for _ in range(50):
        gateway.answer(503)
    start = time.monotonic()
    with pytest.raises(errors.Transient, match=r"^GET /version: HTTP status 503$"):
        through_gateway.version()
    assert 1 < time.monotonic() - start < 4
    assert 3 < len(gateway.requests) < 20


def test_a_server_that_never_answers_is_given_up_at_the_deadline(gateway: Gateway, admin_token: str) -> None:
    gateway.hold()
    policy = RetryPolicy(deadline_seconds=0.5)
    with Client.remote(gateway.url, admin_token, None, policy=policy) as client:
        start = time.monotonic()
        with pytest.raises(
            errors.Unreachable, match=r"^no answer from the API server http://127.*in time \(GET /version"
        ):
            client.version()
        assert time.monotonic() - start < 2


def test_a_server_that_only_drips_is_given_up_at_the_deadline(gateway: Gateway, admin_token: str) -> None:
    gateway.drip(every_seconds=0.1)
    with Client.remote(gateway.url, admin_token, None, policy=RetryPolicy(deadline_seconds=0.5)) as client:
        start = time.monotonic()
        with pytest.raises(errors.Transient, match="took too long"):
            client.version()
        assert time.monotonic() - start < 2


def test_an_answer_cut_off_in_the_middle_is_read_again(through_gateway: Client, gateway: Gateway) -> None:
    gateway.cut_short()
    assert through_gateway.version()


def test_something_that_is_no_api_server_is_named(through_gateway: Client, gateway: Gateway) -> None:
    gateway.answer_lines("<html>", "secret-body")
    with pytest.raises(errors.ApiError, match="something else than JSON") as caught:
        through_gateway.version()
    assert "secret-body" not in str(caught.value)


def test_a_redirect_is_not_followed(through_gateway: Client, gateway: Gateway) -> None:
    gateway.answer(302, None, Location="http://127.0.0.1:1/steal-token")
    with pytest.raises(errors.ApiError, match=r"^GET /version: HTTP status 302$"):
        through_gateway.version()


def test_a_proxys_error_page_is_not_quoted(through_gateway: Client, gateway: Gateway) -> None:
    gateway.answer(403, "<html>secret-body</html>")
    with pytest.raises(errors.Forbidden) as caught:
        through_gateway.version()
    assert str(caught.value) == "GET /version: HTTP status 403"


def test_a_log_with_bytes_that_are_no_text_is_readable(through_gateway: Client, gateway: Gateway) -> None:
    through_gateway.resource(Kind("", "v1", "Pod"))
    gateway.answer_bytes(b"a\xff\n")
    assert through_gateway.read_log("p", "default", since_seconds=30) == "a\ufffd\n"
    assert "sinceSeconds=30" in gateway.queries[-1]


def test_the_observer_sees_every_attempt(gateway: Gateway, admin_token: str, namespace: str) -> None:
    seen: list[tuple[str, str, int]] = []
    with Client.remote(
        gateway.url, admin_token, None, observer=lambda verb, resource, code, _: seen.append((verb, resource, code))
    ) as client:
        client.resource(CONFIG_MAP)
        gateway.answer(503)
        gateway.drop_before()
        client.find(CONFIG_MAP, "x", namespace)
        client.create(config_map(namespace))
        client.list(CONFIG_MAP, namespace)
    attempts = [("get", "configmaps", code) for code in (503, 0, 404)]
    assert seen == [("discover", "", 200), *attempts, ("create", "configmaps", 201), ("list", "configmaps", 200)]


def test_a_watch_that_the_server_never_begins_is_opened_again(
    gateway: Gateway, client: Client, admin_token: str, namespace: str
) -> None:
    client.create(config_map(namespace))
    policy = RetryPolicy(deadline_seconds=1)
    with Client.remote(gateway.url, admin_token, None, policy=policy) as impatient:
        impatient.resource(CONFIG_MAP)
        gateway.requests.clear()
        gateway.pass_next()  # the list
        gateway.hold()
        with impatient.watch(CONFIG_MAP, namespace, timeout_seconds=60) as watch:
            assert next(watch).type == "ADDED"
            changes = threading.Thread(target=change_later, args=(gateway, client, namespace))
            changes.start()
            assert next(watch).type == "MODIFIED"
            changes.join()


def change_later(gateway: Gateway, client: Client, namespace: str) -> None:
    """Change the object once the second watch has been quiet for longer than the answer to a call may take."""
    gateway.wait_for_requests(3)
    time.sleep(1.5)
    client.patch_merge(CONFIG_MAP, "x", {"data": {"a": "1"}}, namespace)
