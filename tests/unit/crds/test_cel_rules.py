"""The CEL rules of the generated YAML against the tables of ibu-api.md 1.4 and seed-image-and-gitops.md A.1."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from crds.base import Object

Judge = Callable[..., list[tuple[int, str]]]

ERROR = "evaluation error"
NO_TRANSITION = (
    "the stage transition is not permitted. Please refer to status.validNextStages for valid transitions. "
    "If status.validNextStages is not present, it indicates that no transitions are currently allowed"
)
VALUES: dict[str, tuple[object, object]] = {
    "seedImageRef": ({"version": "4.16.1", "image": "a"}, {"version": "4.16.2", "image": "a"}),
    "oadpContent": ([{"name": "a", "namespace": "n"}], [{"name": "b", "namespace": "n"}]),
    "extraManifests": ([{"name": "a", "namespace": "n"}], [{"name": "b", "namespace": "n"}]),
    "autoRollbackOnFailure": ({}, {"initMonitorTimeoutSeconds": 60}),
}
FIELDS = [pytest.param(number, field, id=f"rule{number}-{field}") for number, field in enumerate(VALUES, start=2)]


def make(stage: str | None = None, /, idle: str = "", next_stages: tuple[str, ...] = (), **spec: object) -> Object:
    """An IBU; `idle` is the status of the Idle condition, and without any status field there is no status."""
    status: Object = {"conditions": [{"type": "Idle", "status": idle}]} if idle else {}
    status |= {"validNextStages": list(next_stages)} if next_stages else {}
    whole_spec = spec | ({"stage": stage} if stage else {})
    return {"metadata": {"name": "upgrade"}, "spec": whole_spec} | ({"status": status} if status else {})


def without_spec(ibu: Object) -> Object:
    return {key: value for key, value in ibu.items() if key != "spec"}


def refused(field: str) -> str:
    return f"can not change spec.{field} while ibu is in progress"


# --- Rule 1


def test_rule1_name_upgrade_is_accepted(judge_ibu: Judge) -> None:
    assert judge_ibu(make("Idle")) == []


def test_rule1_other_name_is_refused(judge_ibu: Judge) -> None:
    ibu = make("Idle") | {"metadata": {"name": "other"}}
    message = "ibu is a singleton, metadata.name must be 'upgrade'"
    assert judge_ibu(ibu) == judge_ibu(ibu, ibu) == [(1, message)]


# --- Rules 2 to 5: one field each


@pytest.mark.parametrize(("number", "field"), FIELDS)
class TestFieldRules:
    def test_a_change_before_the_first_status_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        assert judge_ibu(make("Prep", **{field: other}), make("Prep", **{field: one})) == []

    def test_b_change_while_idle_is_true_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        old = make("Idle", idle="True", next_stages=("Prep",), **{field: one})
        assert judge_ibu(make("Idle", **{field: other}), old) == []
        assert judge_ibu(make("Prep", **{field: other}), old) == []

    def test_c_change_with_stage_idle_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        old = make("Prep", idle="False", next_stages=("Idle",), **{field: one})
        assert judge_ibu(make("Idle", **{field: other}), old) == []

    def test_c_change_while_stage_stays_idle_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        assert judge_ibu(make("Idle", **{field: other}), make("Idle", idle="False", **{field: one})) == []

    def test_d_equal_value_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, _ = VALUES[field]
        assert judge_ibu(make("Prep", **{field: deepcopy(one)}), make("Prep", idle="False", **{field: one})) == []

    def test_e_absent_in_both_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        assert judge_ibu(make("Prep"), make("Prep", idle="False")) == []

    def test_change_in_progress_is_refused(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        old = make("Prep", idle="False", next_stages=("Idle",), **{field: one})
        assert judge_ibu(make("Prep", **{field: other}), old) == [(number, refused(field))]

    def test_removal_in_progress_is_refused(self, judge_ibu: Judge, number: int, field: str) -> None:
        old = make("Prep", idle="False", **{field: VALUES[field][0]})
        assert judge_ibu(make("Prep"), old) == [(number, refused(field))]

    def test_addition_in_progress_is_refused_even_when_empty(self, judge_ibu: Judge, number: int, field: str) -> None:
        value = VALUES[field][0]
        assert judge_ibu(make("Prep", **{field: value}), make("Prep", idle="False")) == [(number, refused(field))]

    def test_change_without_conditions_is_an_error(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        old = make("Prep", next_stages=("Idle",), **{field: one})
        assert judge_ibu(make("Prep", **{field: other}), old) == [(number, ERROR)]

    def test_change_without_conditions_to_idle_is_accepted(self, judge_ibu: Judge, number: int, field: str) -> None:
        one, other = VALUES[field]
        old = make("Prep", next_stages=("Idle",), **{field: one})
        assert judge_ibu(make("Idle", **{field: other}), old) == []


def test_every_changed_field_is_reported_in_one_refusal(judge_ibu: Judge) -> None:
    old = make("Prep", idle="False", **{field: one for field, (one, _) in VALUES.items()})
    new = make("Prep", **{field: other for field, (_, other) in VALUES.items()})
    assert [number for number, _ in judge_ibu(new, old)] == [2, 3, 4, 5]


# --- Rule 6


def test_rule6_a_any_stage_before_the_first_status_is_accepted(judge_ibu: Judge) -> None:
    assert judge_ibu(make("Rollback"), make("Idle")) == []


def test_rule6_b_next_stage_is_accepted(judge_ibu: Judge) -> None:
    assert judge_ibu(make("Upgrade"), make("Prep", idle="False", next_stages=("Idle", "Upgrade"))) == []


def test_rule6_c_same_stage_is_accepted_even_when_none_is_allowed(judge_ibu: Judge) -> None:
    assert judge_ibu(make("Rollback"), make("Rollback", idle="False")) == []


@pytest.mark.parametrize("next_stages", [(), ("Idle",)], ids=["none-allowed", "other-allowed"])
def test_rule6_other_stage_is_refused(judge_ibu: Judge, next_stages: tuple[str, ...]) -> None:
    old = make("Prep", idle="False", next_stages=next_stages)
    assert judge_ibu(make("Upgrade"), old) == [(6, NO_TRANSITION)]


def test_rule6_removed_stage_is_an_error(judge_ibu: Judge) -> None:
    old = make("Prep", idle="True", next_stages=("Idle",))
    assert judge_ibu(make(), old) == [(6, ERROR)]


def test_rule6_removed_spec_is_an_error(judge_ibu: Judge) -> None:
    old = make("Prep", idle="True", next_stages=("Idle",))
    assert (6, ERROR) in judge_ibu(without_spec(old), old)


# --- The consequences listed below the table


@pytest.mark.parametrize("stage", ["Idle", "Prep", "Upgrade", "Rollback", None])
def test_create_with_any_stage_and_spec_is_accepted(judge_ibu: Judge, stage: str | None) -> None:
    assert judge_ibu(make(stage, **{field: one for field, (one, _) in VALUES.items()})) == []
    assert judge_ibu(without_spec(make())) == []


def test_prep_with_a_whole_new_spec_in_one_patch_is_accepted_while_idle(judge_ibu: Judge) -> None:
    old = make("Idle", idle="True", next_stages=("Prep",), seedImageRef={})
    assert judge_ibu(make("Prep", **{field: other for field, (_, other) in VALUES.items()}), old) == []


def test_idle_with_spec_edits_is_refused_only_for_the_stage_when_idle_is_not_allowed(judge_ibu: Judge) -> None:
    old = make("Rollback", idle="False", seedImageRef=VALUES["seedImageRef"][0])
    assert judge_ibu(make("Idle", seedImageRef=VALUES["seedImageRef"][1]), old) == [(6, NO_TRANSITION)]


@pytest.mark.parametrize("stage", ["Prep", "Upgrade", "Rollback"])
def test_object_created_without_stage_accepts_only_idle(judge_ibu: Judge, stage: str) -> None:
    old = make(next_stages=("Idle",), seedImageRef={})
    assert judge_ibu(make("Idle", seedImageRef={}), old) == []
    assert judge_ibu(make(stage, seedImageRef={}), old) == [(6, NO_TRANSITION)]


@pytest.mark.parametrize("stage", ["Idle", "Prep", "Upgrade", "Rollback"])
def test_status_write_is_accepted_in_every_stage(judge_ibu: Judge, stage: str) -> None:
    old = make(stage, idle="False", seedImageRef={"version": "4.16.1"})
    assert judge_ibu(make(stage, idle="True", next_stages=("Prep",), seedImageRef={"version": "4.16.1"}), old) == []


def test_status_write_without_stage_is_an_error_from_the_second_on(judge_ibu: Judge) -> None:
    first, second = make(seedImageRef={}), make(next_stages=("Idle",), seedImageRef={})
    assert judge_ibu(second, first) == []
    assert judge_ibu(second, second) == [(6, ERROR)]


# --- SeedGenerator


def test_seedgen_other_name_is_refused(judge_seedgen: Judge) -> None:
    assert judge_seedgen({"metadata": {"name": "seedimage"}}) == []
    message = "seedgen is a singleton, metadata.name must be 'seedimage'"
    assert judge_seedgen({"metadata": {"name": "other"}}) == [(1, message)]


def test_seedgen_spec_can_be_created_and_repeated_but_not_changed(judge_seedgen_spec: Judge) -> None:
    spec = {"seedImage": "quay.io/a"}
    message = "cannot modify spec, cr must be deleted and recreated"
    assert judge_seedgen_spec(spec) == judge_seedgen_spec(spec, deepcopy(spec)) == []
    assert judge_seedgen_spec({"seedImage": "quay.io/b"}, spec) == [(1, message)]
    assert judge_seedgen_spec(spec | {"recertImage": "r"}, spec) == [(1, message)]
