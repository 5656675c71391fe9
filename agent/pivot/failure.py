"""An upgrade that did not stay booted, as the original release shows it (ibu-api.md 8.1). Pure functions."""

from __future__ import annotations

from datetime import datetime

from agent.kube import Object
from agent.pivot.saved import drop_nulls
from agent.workflow.conditions import Change, set_condition
from crds.base import to_utc_second
from crds.imagebasedupgrade import ImageBasedUpgrade, Reason, Stage

UNCONTROLLED_ROLLBACK = "Uncontrolled rollback"
"""The message when nobody in the new release asked for the way back."""


def fail_upgrade(cr: ImageBasedUpgrade, message: str, now: datetime) -> ImageBasedUpgrade:
    """Return the object with its upgrade failed for the reason `message`; the way on is an abort."""
    generation, conditions = cr.metadata.generation, cr.status.conditions
    for change in (
        Change(Stage.UPGRADE.completed_type, "False", Reason.FAILED, "Upgrade failed"),
        Change(Stage.UPGRADE.in_progress_type, "False", Reason.FAILED, message),
    ):
        conditions = set_condition(conditions, change, generation=generation, now=to_utc_second(now))
    changes = {"observed_generation": generation, "conditions": conditions, "valid_next_stages": (Stage.IDLE.value,)}
    return cr.model_copy(update={"status": cr.status.model_copy(update=changes)})


def fail_saved_upgrade(saved: Object, message: str, now: datetime) -> Object:
    """Do the same with a saved object; whatever else it holds stays as it is.

    Raises ValueError (pydantic.ValidationError) when the object is none of an upgrade.
    """
    failed = fail_upgrade(ImageBasedUpgrade.read(drop_nulls(saved)), message, now)
    return {**saved, "status": failed.status.write()}
