import pytest

from sandbox.cluster.operators.approver import needs_approval
from sandbox.cluster.operators.cluster_version import cluster_version_status
from sandbox.cluster.operators.health import HEALTHY, Health, operator_conditions, operator_health
from sandbox.cluster.operators.service_ca import secret_name

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def health(name: str = "dns", position: int = 2, seconds: float = 100.0, **faults: str) -> Health:
    given = {key.replace("_", "-"): value for key, value in faults.items() if key != "pivoted"}
    return operator_health(name, position, seconds, operator_seconds=1.0, faults=given, pivoted="pivoted" in faults)


@pytest.mark.parametrize(
    ("seconds", "available", "progressing"), [(1, False, False), (2.5, False, True), (3, True, False)]
)
def test_operator_comes_up_in_its_turn(seconds: float, available: bool, progressing: bool) -> None:
    assert (health(seconds=seconds).available, health(seconds=seconds).progressing) == (available, progressing)


def test_fault_without_name_hits_authentication_only() -> None:
    assert health("authentication", unhealthy_operator="").degraded
    assert health("dns", unhealthy_operator="") == HEALTHY


def test_fault_with_name_hits_that_operator() -> None:
    assert not health("dns", unhealthy_operator="dns").available
    assert health("authentication", unhealthy_operator="dns") == HEALTHY


def test_fault_never_healthy_counts_only_after_a_pivot() -> None:
    assert health(never_healthy_after_pivot="") == HEALTHY
    assert not health(never_healthy_after_pivot="", pivoted="").available


def test_condition_keeps_its_time_while_its_status_is_the_same() -> None:
    before = operator_conditions(HEALTHY, [], NOW)
    after = operator_conditions(Health(available=True, degraded=True, message="m"), before, LATER)
    times = {condition["type"]: condition["lastTransitionTime"] for condition in after}
    assert times == {"Available": NOW, "Progressing": NOW, "Degraded": LATER, "Upgradeable": LATER}


def version_status(before: dict, unhealthy: list[str], version: str = "4.16.1", now: str = LATER) -> dict:
    return cluster_version_status(before, version=version, image="quay.io/r:1", unhealthy=unhealthy, now=now)


def test_version_with_operators_on_their_way_is_partial() -> None:
    status = version_status({}, ["dns"])
    assert status["history"][0]["state"] == "Partial"
    assert status["conditions"][2]["message"] == "Working towards 4.16.1: waiting on dns"


def test_version_of_a_new_release_is_put_before_the_old_one() -> None:
    old = version_status({}, [], version="4.15.0", now=NOW)
    new = version_status(old, [])
    assert [(entry["version"], entry["state"]) for entry in new["history"]] == [
        ("4.16.1", "Completed"),
        ("4.15.0", "Completed"),
    ]
    assert new["desired"]["version"] == "4.16.1"


def test_version_with_an_operator_that_fails_later_stays_completed() -> None:
    status = version_status(version_status({}, []), ["etcd"])
    by_type = {condition["type"]: condition for condition in status["conditions"]}
    assert status["history"][0]["state"] == "Completed"
    assert (by_type["Available"]["status"], by_type["Failing"]["status"]) == ("True", "True")


@pytest.mark.parametrize(
    ("signer", "conditions", "wanted"),
    [
        ("kubernetes.io/kubelet-serving", [], True),
        ("kubernetes.io/kubelet-serving", [{"type": "Denied"}], False),
        ("example.com/other", [], False),
    ],
)
def test_request_is_approved_only_if_it_is_a_nodes_and_undecided(signer: str, conditions: list, wanted: bool) -> None:
    assert needs_approval({"spec": {"signerName": signer}, "status": {"conditions": conditions}}) is wanted


def test_service_names_its_certificate_by_annotation() -> None:
    annotations = {"service.beta.openshift.io/serving-cert-secret-name": "tls"}
    assert secret_name({"metadata": {"annotations": annotations}}) == "tls"
    assert secret_name({"metadata": {}}) is None
