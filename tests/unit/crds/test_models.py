"""Reading and writing of objects: nothing lost, nothing invented, no nulls, times in UTC with whole seconds."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crds.base import Condition, Object, format_time
from crds.imagebasedupgrade import AutoRollbackOnFailure, ImageBasedUpgrade, ImageBasedUpgradeSpec, SeedImageRef, Stage
from crds.seedgenerator import SeedGenerator

NOW = datetime(2024, 6, 26, 3, 27, 5, tzinfo=UTC)


def make_ibu() -> Object:
    return {
        "apiVersion": "lca.openshift.io/v1",
        "kind": "ImageBasedUpgrade",
        "metadata": {"name": "upgrade", "generation": 3, "annotations": {"a": ""}},
        "spec": {
            "stage": "Prep",
            "seedImageRef": {"version": "4.16.1", "image": "quay.io/x:1", "pullSecretRef": {"name": "p"}},
            "oadpContent": [{"name": "a", "namespace": "b"}],
            "autoRollbackOnFailure": {},
        },
        "status": {
            "observedGeneration": 3,
            "conditions": [
                {
                    "type": "Idle",
                    "status": "False",
                    "reason": "InProgress",
                    "message": "",
                    "observedGeneration": 2,
                    "lastTransitionTime": "2024-06-26T03:27:05Z",
                }
            ],
            "validNextStages": ["Idle"],
            "history": [{"stage": "Prep", "startTime": "2024-06-26T03:27:05Z", "phases": [{"phase": "Stateroot"}]}],
        },
    }


def test_ibu_read_and_written_is_the_same_object() -> None:
    assert ImageBasedUpgrade.read(make_ibu()).write() == make_ibu()


def test_seedgenerator_read_and_written_is_the_same_object() -> None:
    raw = {"metadata": {"name": "seedimage"}, "spec": {"seedImage": "quay.io/xyz"}, "status": {"observedGeneration": 1}}
    assert SeedGenerator.read(raw).write() == raw


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u200b", "\u0085", "\v"])
def test_image_with_a_blank_that_the_api_server_takes_can_be_read(blank: str) -> None:
    assert SeedImageRef(image=f"quay.io/x:1{blank}").image == f"quay.io/x:1{blank}"


def test_unknown_fields_survive_at_every_level() -> None:
    raw = make_ibu()
    for part in (raw, raw["metadata"], raw["spec"], raw["spec"]["seedImageRef"], raw["status"]["conditions"][0]):
        part["fromAnotherVersion"] = {"deep": [1, {"x": ""}]}
    assert ImageBasedUpgrade.read(raw).write() == raw


def test_unknown_fields_survive_a_change_of_the_status() -> None:
    raw = make_ibu()
    raw["status"]["fromAnotherVersion"] = 1
    status = ImageBasedUpgrade.read(raw).status.model_copy(update={"valid_next_stages": ()})
    assert status.write()["fromAnotherVersion"] == 1
    assert "validNextStages" not in status.write()


def test_nulls_are_read_as_absent_and_never_written() -> None:
    raw = make_ibu()
    raw["status"] |= {
        "rollbackAvailabilityExpiration": None,
        "conditions": None,
        "validNextStages": None,
        "other": None,
    }
    raw["status"]["history"][0]["completionTime"] = None
    ibu = ImageBasedUpgrade.read(raw)
    assert ibu.status.conditions == ()
    assert "null" not in json.dumps(ibu.write())


@pytest.mark.parametrize("text", ["{}", "{metadata: null, spec: null, status: null}"])
def test_object_without_parts_reads_as_empty_and_writes_nothing(text: str) -> None:
    ibu = ImageBasedUpgrade.read(yaml.safe_load(text))
    assert (ibu.spec.stage, ibu.status.conditions, ibu.write()) == (None, (), {})


def test_empty_object_is_kept_apart_from_an_absent_one() -> None:
    spec = ImageBasedUpgradeSpec(stage=Stage.IDLE, seed_image_ref=SeedImageRef())
    assert spec.write() == {"stage": "Idle", "seedImageRef": {}}
    assert ImageBasedUpgradeSpec(auto_rollback_on_failure=AutoRollbackOnFailure()).write() == {
        "autoRollbackOnFailure": {}
    }


def test_empty_text_is_written_only_where_the_schema_requires_the_field() -> None:
    assert SeedImageRef(version="").write() == {}
    condition = Condition(type="A", status="True", reason="B", message="", last_transition_time=NOW)
    assert condition.write()["message"] == ""


@pytest.mark.parametrize(
    "written",
    ["2024-06-26T03:27:05Z", "2024-06-26T03:27:05.999999Z", "2024-06-26T05:27:05+02:00", "2024-06-26 03:27:05"],
)
def test_time_is_written_in_utc_with_whole_seconds(written: str) -> None:
    for value in (written, yaml.safe_load(written)):
        status = ImageBasedUpgrade.read({"status": {"rollbackAvailabilityExpiration": value}}).status
        assert status.write() == {"rollbackAvailabilityExpiration": "2024-06-26T03:27:05Z"}


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_formatted_time_read_again_is_the_same_second(clock: datetime, offset_minutes: int) -> None:
    moment = clock.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert datetime.fromisoformat(format_time(moment)) == moment.replace(microsecond=0)


JSON = st.recursive(
    st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=4
)


@given(st.dictionaries(st.text().map(lambda key: f"x-{key}"), JSON))
def test_any_unknown_content_survives_reading_and_writing(extra: Object) -> None:
    assert (
        ImageBasedUpgrade.read({"spec": extra, "status": extra} | extra).write()
        == {
            "spec": extra,
            "status": extra,
        }
        | extra
    )


def test_wrong_type_is_refused_with_the_path_of_the_field() -> None:
    with pytest.raises(ValidationError, match=r"spec\.oadpContent\.0\.namespace"):
        ImageBasedUpgrade.read({"spec": {"oadpContent": [{"name": "a"}]}})


def test_model_can_not_be_changed_in_place() -> None:
    ibu = ImageBasedUpgrade.read(make_ibu())
    with pytest.raises(ValidationError, match="frozen"):
        ibu.status.observed_generation = 4  # type: ignore[misc]
