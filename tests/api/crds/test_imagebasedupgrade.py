"""The ImageBasedUpgrade CRD on a real API server: columns, validation, pruning, status subresource (ibu-api.md 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from crds import generate
from crds.base import Condition, Object
from crds.imagebasedupgrade import ImageBasedUpgrade, ImageBasedUpgradeStatus

Kubectl = Callable[..., str]
PutStatus = Callable[[Object], Object]

MERGE = ("patch", "ibu", "upgrade", "--type=merge", "-p")


def make_condition(message: str = "Idle", type_: str = "Idle") -> Condition:
    now = datetime(2024, 6, 26, 3, 27, 5, 999, tzinfo=UTC)
    return Condition(type=type_, status="True", reason="Idle", message=message, last_transition_time=now)


def with_conditions(ibu: Object, *conditions: Condition) -> Object:
    return ibu | {"status": ImageBasedUpgradeStatus(conditions=conditions).write()}


def test_plain_apply_creates_both_crds(applied_crds: str) -> None:
    assert "imagebasedupgrades.lca.openshift.io created" in applied_crds
    assert "seedgenerators.lca.openshift.io created" in applied_crds


def test_file_with_rules_is_refused_by_a_server_that_does_not_know_them(
    kubectl: Kubectl, server_knows_cel: bool
) -> None:
    """The reason for the second folder; once this fails, the folder can go."""
    apply = ("apply", "--dry-run=client", "-f", str(generate.FOLDER / "imagebasedupgrade.yaml"))
    if server_knows_cel:
        kubectl(*apply)
    else:
        with pytest.raises(AssertionError, match='unknown field "x-kubernetes-validations"'):
            kubectl(*apply)


def test_applied_crds_are_structural_with_accepted_names(kubectl: Kubectl, applied_crds: str) -> None:
    crd = json.loads(kubectl("get", "crd", "imagebasedupgrades.lca.openshift.io", "-o", "json"))
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_get_ibu_prints_the_last_condition(kubectl: Kubectl, ibu: Object, put_status: PutStatus) -> None:
    put_status(with_conditions(ibu, make_condition(), make_condition("Rolled\nback", "RollbackCompleted")))
    header, row = kubectl("get", "ibu", "-n", "any-namespace").splitlines()
    assert re.split(r"\s{2,}", header.strip()) == ["NAME", "AGE", "DESIRED STAGE", "STATE", "DETAILS"]
    name, _age, *rest = row.split()
    assert [name, *rest] == ["upgrade", "Idle", "Idle", "Rolled..."]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({"stage": "Later"}, "spec.stage", id="stage-enum"),
        pytest.param({"seedImageRef": {"image": ""}}, "spec.seedImageRef.image", id="image-empty"),
        pytest.param({"seedImageRef": {"image": "quay.io/a b"}}, "spec.seedImageRef.image", id="image-pattern"),
        pytest.param({"seedImageRef": {"pullSecretRef": {}}}, "spec.seedImageRef.pullSecretRef.name", id="secret-name"),
        pytest.param({"oadpContent": [{"name": "a"}]}, "spec.oadpContent.*namespace", id="oadp-namespace"),
        pytest.param({"extraManifests": [{"namespace": "a"}]}, "spec.extraManifests.*name", id="manifests-name"),
        pytest.param(
            {"autoRollbackOnFailure": {"initMonitorTimeoutSeconds": -1}}, "initMonitorTimeoutSeconds", id="minimum"
        ),
    ],
)
def test_invalid_spec_is_refused_with_the_field(kubectl: Kubectl, ibu: Object, spec: Object, told: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s)invalid.*{told}"):
        kubectl(*MERGE, json.dumps({"spec": spec}))


@pytest.mark.parametrize("image", ["quay.io/a/b:1", "registry:5000/a@sha256:0", "docker://quay.io/a"])
def test_valid_pull_specs_are_accepted(kubectl: Kubectl, ibu: Object, image: str) -> None:
    kubectl(*MERGE, json.dumps({"spec": {"seedImageRef": {"image": image}}}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"message": "x" * 32769}, "message", id="message-too-long"),
        pytest.param({"reason": ""}, "reason", id="reason-empty"),
        pytest.param({"reason": "no blanks"}, "reason", id="reason-pattern"),
        pytest.param({"status": "Maybe"}, "status", id="status-enum"),
        pytest.param({"type": "no blanks"}, "type", id="type-pattern"),
        pytest.param({"observedGeneration": -1}, "observedGeneration", id="generation-minimum"),
        pytest.param({"lastTransitionTime": "yesterday"}, "lastTransitionTime", id="time-format"),
    ],
)
def test_invalid_condition_is_refused_with_the_field(
    ibu: Object, put_status: PutStatus, change: Object, told: str
) -> None:
    status = {"conditions": [make_condition().write() | change]}
    with pytest.raises(AssertionError, match=rf"status\.conditions.*{told}"):
        put_status(ibu | {"status": status})


def test_longest_allowed_message_is_stored(ibu: Object, put_status: PutStatus) -> None:
    stored = put_status(with_conditions(ibu, make_condition("é" * 32768)))
    assert len(stored["status"]["conditions"][0]["message"]) == 32768


def test_nulls_in_a_status_are_dropped(ibu: Object, put_status: PutStatus) -> None:
    history = [{"stage": "Prep", "startTime": None, "completionTime": None}]
    stored = put_status(ibu | {"status": {"rollbackAvailabilityExpiration": None, "history": history}})
    assert stored["status"] == {"history": [{"stage": "Prep"}]}


def test_unknown_fields_are_pruned(kubectl: Kubectl, ibu: Object) -> None:
    patch = {"spec": {"seedImageRef": {"version": "4.16.1", "unknown": 1}}}
    stored = json.loads(kubectl(*MERGE, json.dumps(patch), "-o", "json"))
    assert stored["spec"] == {"stage": "Idle", "seedImageRef": {"version": "4.16.1"}}


def test_status_is_written_only_through_its_subresource(kubectl: Kubectl, ibu: Object, put_status: PutStatus) -> None:
    stored = put_status(with_conditions(ibu, make_condition()) | {"spec": {"stage": "Prep"}})
    assert (stored["spec"], stored["metadata"]["generation"]) == (ibu["spec"], 1)
    patch = {"spec": {"seedImageRef": {"version": "4.16.1"}}, "status": {"conditions": []}}
    stored = json.loads(kubectl(*MERGE, json.dumps(patch), "-o", "json"))
    assert (len(stored["status"]["conditions"]), stored["metadata"]["generation"]) == (1, 2)


def test_status_put_with_a_stale_version_conflicts(ibu: Object, put_status: PutStatus) -> None:
    put_status(with_conditions(ibu, make_condition("first")))
    with pytest.raises(AssertionError, match="the object has been modified"):
        put_status(with_conditions(ibu, make_condition("second")))


def test_stored_object_read_and_written_by_the_model_is_unchanged(
    kubectl: Kubectl, ibu: Object, put_status: PutStatus
) -> None:
    stored = put_status(with_conditions(ibu, make_condition()))
    assert ImageBasedUpgrade.read(stored).write() == stored


def test_stage_that_is_not_next_is_refused_where_the_server_knows_rules(
    kubectl: Kubectl, ibu: Object, put_status: PutStatus, server_knows_cel: bool
) -> None:
    put_status(ibu | {"status": {"conditions": [make_condition().write()], "validNextStages": ["Prep"]}})
    patch = (*MERGE, '{"spec": {"stage": "Rollback"}}')
    if server_knows_cel:
        with pytest.raises(AssertionError, match="the stage transition is not permitted"):
            kubectl(*patch)
    else:
        assert "patched" in kubectl(*patch)
