"""Edits of the spec during an upgrade, past an API server that does not refuse them."""

from collections.abc import Callable

import pytest

from agent.ibu.drift import find_drift, find_target, pin_spec
from crds.imagebasedupgrade import AutoRollbackOnFailure, ImageBasedUpgrade, ImageBasedUpgradeSpec, SeedImageRef

MakeIbu = Callable[..., ImageBasedUpgrade]

PREPARING = ("Idle=False/InProgress", "PrepInProgress=True/InProgress")
ACCEPTED = ImageBasedUpgradeSpec(seed_image_ref=SeedImageRef(version="4.16.0"))


def test_changed_field_is_named_and_pinned(make_ibu: MakeIbu) -> None:
    cr = make_ibu(*PREPARING, stage="Prep")
    assert find_drift(cr, ACCEPTED) == ("seedImageRef",)
    pinned = pin_spec(cr, ACCEPTED)
    assert (pinned.desired_stateroot, pinned.spec.stage) == ("rhcos_4.16.0", "Prep")
    assert find_drift(pinned, ACCEPTED) == ()


def test_empty_object_where_there_was_none_is_a_change(make_ibu: MakeIbu) -> None:
    cr = make_ibu(*PREPARING, stage="Prep")
    accepted = cr.spec.model_copy(update={"auto_rollback_on_failure": AutoRollbackOnFailure()})
    assert find_drift(cr, accepted) == ("autoRollbackOnFailure",)
    assert pin_spec(cr, accepted).spec.write()["autoRollbackOnFailure"] == {}


def test_added_field_is_dropped_again(make_ibu: MakeIbu) -> None:
    cr = make_ibu(*PREPARING, stage="Prep")
    accepted = ImageBasedUpgradeSpec(stage=cr.spec.stage)
    assert pin_spec(cr, accepted).spec.write() == {"stage": "Prep"}


@pytest.mark.parametrize(
    ("conditions", "stage"),
    [pytest.param(("Idle=True/Idle",), "Prep", id="idle-is-true"), pytest.param(PREPARING, "Idle", id="stage-idle")],
)
def test_edit_that_the_rules_allow_is_no_drift(make_ibu: MakeIbu, conditions: tuple[str, ...], stage: str) -> None:
    cr = make_ibu(*conditions, stage=stage)
    assert find_drift(cr, ACCEPTED) == ()
    assert pin_spec(cr, ACCEPTED) is cr


def test_nothing_accepted_yet_is_no_drift(make_ibu: MakeIbu) -> None:
    cr = make_ibu(*PREPARING, stage="Prep")
    assert pin_spec(cr, None) is cr


def test_target_is_known_without_the_version(make_ibu: MakeIbu) -> None:
    """Idle may be asked for with a spec that says nothing else."""
    upgrading = make_ibu(*PREPARING, stage="Idle")
    bare = upgrading.model_copy(update={"spec": ImageBasedUpgradeSpec(stage=upgrading.spec.stage)})
    assert find_target(bare, ACCEPTED) == "rhcos_4.16.0"
    assert find_target(bare, None) == "rhcos_"
    assert find_target(upgrading, ImageBasedUpgradeSpec()) == "rhcos_4.16.1"
    assert find_target(make_ibu("Idle=True/Idle"), ACCEPTED) == "rhcos_4.16.1"
