"""The running operator: deletions, refused stages, annotations, kills, probes, metrics, leader election."""

from __future__ import annotations

import http.client
import json
import os
import queue
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind, errors
from agent.runtime.leader import LEASE
from tools.operator_process import OperatorProcess, ScratchHost, read_conditions

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NAMESPACE = "openshift-lifecycle-agent"
IDLE = ["Idle=True/Idle Idle"]
TRIGGER = "lca.openshift.io/trigger-reconcile"
SEED = {"version": "4.16.1", "image": "quay.io/org/seed:1"}

Conditions = Callable[[dict[str, Any]], bool]
StartOperator = Callable[..., OperatorProcess]
WaitForUpgrade = Callable[[Conditions], dict[str, Any]]


def is_idle(obj: dict[str, Any]) -> bool:
    return read_conditions(obj) == IDLE


def make_condition(type_: str, status: str, reason: str, message: str = "m") -> dict[str, Any]:
    fixed = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    return {"type": type_, "status": status, "reason": reason, "message": message, **fixed}


UPGRADED = [
    make_condition("Idle", "False", "InProgress", "In progress"),
    make_condition("PrepInProgress", "False", "Completed", "Prep completed"),
    make_condition("PrepCompleted", "True", "Completed", "Prep stage completed successfully"),
    make_condition("UpgradeInProgress", "False", "Completed", "Upgrade completed"),
    make_condition("UpgradeCompleted", "True", "Completed", "Upgrade completed"),
]


@pytest.fixture
def upgraded(no_upgrade: None, client: Client, host: ScratchHost) -> dict[str, Any]:
    """An upgrade that is complete, on a node booted into the new release: nothing is to be done."""
    host.boot("rhcos_4.16.1", "rhcos")
    spec = {"stage": "Upgrade", "seedImageRef": SEED}
    body = {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": {"name": "upgrade"}, "spec": spec}
    status = {"conditions": UPGRADED, "validNextStages": ["Idle", "Rollback"], "observedGeneration": 1}
    return client.update_status({**client.create(body), "status": status})


class Versions:
    """Every version of the resource from now on, as a watch by a user sees it."""

    def __init__(self, client: Client, resource_version: str | None = None) -> None:
        self._watch = client.watch(IBU, name="upgrade", resource_version=resource_version, timeout_seconds=120)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        for event in self._watch:
            self._events.put(event.object)

    def next(self) -> dict[str, Any]:
        return self._events.get(timeout=30)

    def stop(self) -> None:
        self._watch.stop()
        self._thread.join()


@pytest.fixture
def idle(start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade) -> OperatorProcess:
    """An operator at rest."""
    operator = start_operator()
    wait_for_upgrade(is_idle)
    return operator


def test_delete_while_idle_makes_a_fresh_upgrade(
    idle: OperatorProcess, wait_for_upgrade: WaitForUpgrade, client: Client, host: ScratchHost
) -> None:
    old = client.patch_merge(IBU, "upgrade", {"spec": {"seedImageRef": SEED}})
    client.delete(IBU, "upgrade")
    new = wait_for_upgrade(lambda obj: is_idle(obj) and obj["metadata"]["uid"] != old["metadata"]["uid"])
    assert new["spec"] == {"stage": "Idle", "seedImageRef": {}}
    assert not (host.state / "ibu.json").exists()


def test_delete_while_in_progress_brings_it_back_as_it_was(
    upgraded: dict[str, Any], start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client
) -> None:
    operator = start_operator()
    operator.wait_for(lambda record: record["message"] == "run: rpm-ostree status --json")
    client.delete(IBU, "upgrade")
    old = upgraded["metadata"]["uid"]
    restored = wait_for_upgrade(lambda obj: obj["metadata"]["uid"] != old and bool(obj.get("status")))
    assert restored["spec"] == upgraded["spec"]
    assert read_conditions(restored) == read_conditions(upgraded)
    assert restored["status"]["validNextStages"] == ["Idle", "Rollback"]
    operator.wait_for_message("resource restored from its file")


def test_delete_while_the_operator_is_down_is_noticed_at_the_next_start(
    idle: OperatorProcess, start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client
) -> None:
    idle.kill()
    client.delete(IBU, "upgrade")
    start_operator()
    assert wait_for_upgrade(is_idle)["metadata"]["generation"] == 1


def test_kill_9_and_restart_writes_nothing_when_nothing_is_to_be_done(
    upgraded: dict[str, Any], start_operator: StartOperator, client: Client
) -> None:
    for _ in range(2):
        operator = start_operator()
        operator.wait_for(lambda record: record["message"] == "run: rpm-ostree status --json")
        operator.kill()
    assert client.get(IBU, "upgrade")["metadata"]["resourceVersion"] == upgraded["metadata"]["resourceVersion"]


def test_stage_that_is_not_allowed_is_refused_in_the_right_condition(
    idle: OperatorProcess, wait_for_upgrade: WaitForUpgrade, client: Client, host: ScratchHost
) -> None:
    """The operator refuses what an API server that knows the CRD's rules does not even let through."""
    try:
        client.patch_merge(IBU, "upgrade", {"spec": {"stage": "Upgrade"}})
    except errors.Invalid as error:
        refusal = str(error)
        assert "the stage transition is not permitted" in refusal
        return
    refused = wait_for_upgrade(lambda obj: len(read_conditions(obj)) > 1)
    refusal = "UpgradeInProgress=False/InvalidTransition Previous stage not succeeded"
    assert read_conditions(refused) == [*IDLE, refusal]
    assert refused["status"]["validNextStages"] == ["Prep"]
    client.patch_merge(IBU, "upgrade", {"spec": {"stage": "Idle"}})
    wait_for_upgrade(is_idle)


def test_trigger_annotation_causes_a_pass_and_its_removal_does_not(
    idle: OperatorProcess, client: Client, host: ScratchHost
) -> None:
    def passes() -> int:  # each one asks for the deployments, after a change
        return (host.folder / "commands").read_text().count("status --json")

    idle.wait_for_message("container storage")
    for value in ("1", "2"):
        before = passes()
        host.mark_change()
        client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {TRIGGER: value}}})
        wait_until(lambda before=before: passes() == before + 1)  # type: ignore[misc]
    host.mark_change()
    client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {TRIGGER: None, "other": "x"}}})
    host.mark_change()
    client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {TRIGGER: "3"}}})
    wait_until(lambda: passes() >= before + 2)
    assert passes() == before + 2


def wait_until(holds: Callable[[], bool]) -> None:
    """Look at a file of a stand-in, which sends no events, until it is as expected."""
    for _ in range(1000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise TimeoutError("it never became so")


def test_only_the_operator_writes_and_nothing_of_kopf_is_left(
    idle: OperatorProcess, client: Client, wait_for_upgrade: WaitForUpgrade
) -> None:
    client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {"mine": "x"}}})
    upgrade = wait_for_upgrade(lambda obj: "mine" in obj["metadata"].get("annotations", {}))
    assert upgrade["metadata"]["annotations"] == {"mine": "x"}
    assert "finalizers" not in upgrade["metadata"]
    assert upgrade["status"].keys() == {"conditions", "observedGeneration", "validNextStages"}


def test_probes_answer_while_a_step_blocks(start_operator: StartOperator, no_upgrade: None, host: ScratchHost) -> None:
    fifo = host.folder / "rpm-ostree-status.json"
    fifo.unlink()
    subprocess.run(["mkfifo", str(fifo)], check=True)  # whoever reads it waits for a writer
    operator = start_operator()
    operator.wait_for_message("run: rpm-ostree status --json")
    try:
        for path in ("/healthz", "/readyz"):
            assert fetch(operator.port_of(path), path) == (200, "ok")
    finally:
        os.close(os.open(fifo, os.O_WRONLY))  # waits for the reader, which must not outlive the test


def fetch(port: int, path: str, token: str | None = None, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


@pytest.fixture(scope="session")
def tokens(kubectl: Callable[..., str], request_token: Callable[[str], str]) -> dict[str, str]:
    """Tokens of an account that may read the metrics, and of one that may not."""
    for account in ("scraper", "stranger"):
        kubectl("create", "serviceaccount", account, "-n", NAMESPACE)
    binding = ("create", "clusterrolebinding", "scraper", "--clusterrole=lifecycle-agent-metrics-reader")
    kubectl(*binding, f"--serviceaccount={NAMESPACE}:scraper")
    return {account: request_token(account) for account in ("scraper", "stranger")}


def test_metrics_are_for_those_who_may_read_them(idle: OperatorProcess, tokens: dict[str, str]) -> None:
    port = idle.port_of("/metrics")
    assert fetch(port, "/metrics") == (401, "Unauthorized\n")
    assert fetch(port, "/metrics", "nonsense") == (401, "Unauthorized\n")
    stranger = f"system:serviceaccount:{NAMESPACE}:stranger"
    assert fetch(port, "/metrics", tokens["stranger"]) == (403, f"Authorization denied for user {stranger}\n")
    status, text = fetch(port, "/metrics", tokens["scraper"])
    assert status == 200
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(samples['controller_runtime_reconcile_total{controller="imagebasedupgrade",result="success"}']) >= 1
    assert samples['leader_election_master_status{name="lca.openshift.io"}'] == "1.0"
    assert any(name.startswith('rest_client_requests_total{code="201"') for name in samples)


def test_metrics_with_a_certificate_are_served_over_tls(
    start_operator: StartOperator, tokens: dict[str, str], tmp_path: Path
) -> None:
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1", "-nodes")
    files = ("-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *files, *subject], check=True, capture_output=True
    )
    operator = start_operator(f"--metrics-tls-cert-dir={tmp_path}")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    assert fetch(operator.port_of("/metrics"), "/metrics", tokens["scraper"], trusting)[0] == 200


def test_leader_election_second_process_waits_until_the_first_releases_the_lease(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client
) -> None:
    first = start_operator("--leader-elect", MY_POD_NAME="first")
    first.wait_for_message("leading")
    wait_for_upgrade(is_idle)
    second = start_operator("--leader-elect", MY_POD_NAME="second")
    second.wait_for_message("waiting to lead")
    lease = client.get(LEASE, "lca.openshift.io", NAMESPACE)
    assert lease["spec"]["holderIdentity"].startswith("first_")
    assert lease["spec"]["leaseDurationSeconds"] == 270
    assert first.terminate() == 0
    assert client.get(LEASE, "lca.openshift.io", NAMESPACE)["spec"]["holderIdentity"] == ""
    assert second.terminate() == 0


@pytest.fixture
def versions(client: Client) -> Iterator[Callable[[], Versions]]:
    """Follow the resource from now on."""
    following: list[Versions] = []

    def follow() -> Versions:
        following.append(Versions(client))
        return following[-1]

    yield follow
    for each in following:
        each.stop()


def test_every_change_is_written_once(idle: OperatorProcess, client: Client, versions: Callable[[], Versions]) -> None:
    """A spec edit while idle: the user's version, and one status write by the operator."""
    follow = versions()
    assert is_idle(follow.next())
    client.patch_merge(IBU, "upgrade", {"spec": {"seedImageRef": SEED}})
    assert json.dumps(follow.next()["spec"]["seedImageRef"], sort_keys=True) == json.dumps(SEED, sort_keys=True)
    assert follow.next()["status"]["observedGeneration"] == 2
