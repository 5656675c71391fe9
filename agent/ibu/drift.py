"""Changes of the spec while an upgrade is under way, on API servers that do not refuse them (ibu-api.md 1.4).

The upgrade goes on with the spec that Prep began with: a new version would otherwise change what `after pivot` means in
the middle of a stage, and a new image would be believed to be prepared. The caller keeps that spec in the workspace.
"""

from __future__ import annotations

from agent.ibu.stages import is_completed
from crds.imagebasedupgrade import ImageBasedUpgrade, ImageBasedUpgradeSpec, Stage

GUARDED = ("seed_image_ref", "oadp_content", "extra_manifests", "auto_rollback_on_failure")


def find_drift(cr: ImageBasedUpgrade, accepted: ImageBasedUpgradeSpec | None) -> tuple[str, ...]:
    """API names of the fields that differ from the accepted spec; none where the rules allow a change."""
    if accepted is None or cr.spec.stage is Stage.IDLE or is_completed(cr.status.conditions, Stage.IDLE):
        return ()
    now, then = cr.spec.write(), accepted.write()
    names = [ImageBasedUpgradeSpec.model_fields[field].alias or field for field in GUARDED]
    return tuple(name for name in names if now.get(name) != then.get(name))


def pin_spec(cr: ImageBasedUpgrade, accepted: ImageBasedUpgradeSpec | None) -> ImageBasedUpgrade:
    """The object with the accepted values in the place of changed ones; spec.stage stays the user's."""
    drift = find_drift(cr, accepted)
    if accepted is None or not drift:
        return cr
    spec = {name: value for name, value in cr.spec.write().items() if name not in drift}
    restored = {name: value for name, value in accepted.write().items() if name in drift}
    return cr.model_copy(update={"spec": ImageBasedUpgradeSpec.read(spec | restored)})


def find_target(cr: ImageBasedUpgrade, accepted: ImageBasedUpgradeSpec | None) -> str:
    """The stateroot that the upgrade leads to, also when the spec no longer says so: Idle may be asked for alone."""
    if accepted is None or accepted.seed_image_ref is None or is_completed(cr.status.conditions, Stage.IDLE):
        return cr.desired_stateroot
    return accepted.seed_image_ref.stateroot
