"""ImageBasedUpgrade, the object that users patch to upgrade, abort, roll back and finalize (ibu-api.md 1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from crds.base import Column, Condition, CustomResource, Definition, Int64, K8sModel, Rule, Time

PullSpec = Annotated[
    str,
    Field(
        min_length=1,
        # What `\S` means to the API server, which knows ASCII's blanks only: what it has stored must be readable here.
        pattern=r"^([a-z0-9]+://)?[^\t\n\f\r ]+$",
        json_schema_extra={"pattern": r"^([a-z0-9]+://)?[\S]+$"},
    ),
]


class Stage(StrEnum):
    """A stage, in the order in which the stage in progress is looked for (ibu-api.md 2.4)."""

    IDLE = "Idle"
    PREP = "Prep"
    UPGRADE = "Upgrade"
    ROLLBACK = "Rollback"

    @property
    def in_progress_type(self) -> str:
        """Type of the condition that tells whether the stage is in progress."""
        return "Idle" if self is Stage.IDLE else f"{self}InProgress"

    @property
    def completed_type(self) -> str:
        """Type of the condition that tells whether the stage is completed."""
        return "Idle" if self is Stage.IDLE else f"{self}Completed"


class Reason(StrEnum):
    """Reasons of conditions (ibu-api.md 2.2)."""

    IDLE = "Idle"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    ABORTING = "Aborting"
    ABORT_FAILED = "AbortFailed"
    FINALIZING = "Finalizing"
    FINALIZE_FAILED = "FinalizeFailed"
    INVALID_TRANSITION = "InvalidTransition"
    BLOCKED = "Blocked"


class Annotation(StrEnum):
    """Annotations of the object that steer the operator, or are written by it (ibu-api.md 1.6)."""

    MANUAL_CLEANUP_DONE = "lca.openshift.io/manual-cleanup-done"
    TRIGGER_RECONCILE = "lca.openshift.io/trigger-reconcile"
    VALIDATION_WARNING = "extra-manifest.lca.openshift.io/validation-warning"
    NO_ROLLBACK_AFTER_CONFIGURATION_FAILURE = "auto-rollback-on-failure.lca.openshift.io/post-reboot-config"
    NO_ROLLBACK_AFTER_TIMEOUT = "auto-rollback-on-failure.lca.openshift.io/init-monitor"
    NO_ROLLBACK_AFTER_COMPLETION_FAILURE = "auto-rollback-on-failure.lca.openshift.io/upgrade-completion"


class PullSecretRef(K8sModel):
    """Names a Secret in the operator's namespace."""

    name: str
    """Name of the Secret; its key .dockerconfigjson is used."""


class SeedImageRef(K8sModel):
    """The seed image to upgrade to."""

    version: str = ""
    """OpenShift version of the seed image; must equal the one recorded in it. Determines the new stateroot's name."""

    image: PullSpec | None = None
    """Pull spec of the seed image."""

    pull_secret_ref: PullSecretRef | None = None
    """Secret with the credentials for pulling the seed image; without it the cluster's own pull secret is used."""

    @property
    def stateroot(self) -> str:
        """Name of the stateroot that this version is, or will be, deployed in."""
        return "rhcos_" + self.version.replace("-", "_")


class ConfigMapRef(K8sModel):
    """Names a ConfigMap."""

    name: str
    """Name of the ConfigMap."""

    namespace: str
    """Namespace of the ConfigMap."""


class AutoRollbackOnFailure(K8sModel):
    """Settings of the automatic rollback; an empty object means the defaults."""

    init_monitor_timeout_seconds: Annotated[int, Field(ge=0)] = 0
    """Seconds after the reboot within which the upgrade must complete, else the node rolls back by itself; 0 or absent
    means 1800."""


class ImageBasedUpgradeSpec(K8sModel):
    """What the user wants."""

    stage: Stage | None = None
    """The desired stage. status.validNextStages lists the stages that may be requested now."""

    seed_image_ref: SeedImageRef | None = None
    """The seed image to upgrade to."""

    oadp_content: tuple[ConfigMapRef, ...] = ()
    """ConfigMaps with the Backup and Restore objects that carry application data over the upgrade."""

    extra_manifests: tuple[ConfigMapRef, ...] = ()
    """ConfigMaps with manifests to apply after the upgrade."""

    auto_rollback_on_failure: AutoRollbackOnFailure | None = None
    """Settings of the automatic rollback after a failed upgrade."""


class Phase(K8sModel):
    """A part of a stage with its own times."""

    phase: str = ""
    """Name of the phase."""

    start_time: Time | None = None
    """When the phase started."""

    completion_time: Time | None = None
    """When the phase completed; absent while it runs and when it failed."""


class History(K8sModel):
    """The times of one stage since the last Idle."""

    stage: str = ""
    """Name of the stage."""

    start_time: Time | None = None
    """When the stage started."""

    completion_time: Time | None = None
    """When the stage completed; absent while it runs and when it failed."""

    phases: tuple[Phase, ...] = ()
    """Phases of the stage in the order in which they started."""


class ImageBasedUpgradeStatus(K8sModel):
    """What was observed."""

    observed_generation: Int64 = 0
    """The metadata.generation that the status is based on."""

    conditions: tuple[Condition, ...] = ()
    """State of the stages. The order carries meaning: the last condition is the one that changed last."""

    valid_next_stages: tuple[str, ...] = ()
    """The stages that spec.stage may be set to now; absent when no change is allowed."""

    rollback_availability_expiration: Time | None = None
    """Until when a rollback is safe: afterwards certificates of the previous release expire."""

    history: tuple[History, ...] = ()
    """Stages with their times since the last Idle."""


def _unchanged_unless_idle(field: str) -> Rule:
    return Rule(
        f"can not change spec.{field} while ibu is in progress",
        (
            "!has(oldSelf.status)",
            "oldSelf.status.conditions.exists(c, c.type == 'Idle' && c.status == 'True')",
            "self.spec.stage == 'Idle'",
            f"has(oldSelf.spec.{field}) && has(self.spec.{field}) && oldSelf.spec.{field} == self.spec.{field}",
            f"!has(oldSelf.spec.{field}) && !has(self.spec.{field})",
        ),
    )


class ImageBasedUpgrade(CustomResource):
    """Upgrades a single-node cluster by booting it into a prepared seed image. There is one object, named upgrade."""

    definition: ClassVar = Definition(
        group="lca.openshift.io",
        version="v1",
        kind="ImageBasedUpgrade",
        plural="imagebasedupgrades",
        short_names=("ibu",),
        scope="Cluster",
        columns=(
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Desired Stage", ".spec.stage"),
            Column("State", ".status.conditions[-1:].reason"),
            Column("Details", ".status.conditions[-1:].message"),
        ),
    )
    rules: ClassVar = (
        Rule("ibu is a singleton, metadata.name must be 'upgrade'", ("self.metadata.name == 'upgrade'",)),
        _unchanged_unless_idle("seedImageRef"),
        _unchanged_unless_idle("oadpContent"),
        _unchanged_unless_idle("extraManifests"),
        _unchanged_unless_idle("autoRollbackOnFailure"),
        Rule(
            "the stage transition is not permitted. Please refer to status.validNextStages for valid transitions. "
            "If status.validNextStages is not present, it indicates that no transitions are currently allowed",
            (
                "!has(oldSelf.status)",
                "has(oldSelf.status.validNextStages) && self.spec.stage in oldSelf.status.validNextStages",
                "has(oldSelf.spec.stage) && has(self.spec.stage) && oldSelf.spec.stage == self.spec.stage",
            ),
        ),
    )

    spec: ImageBasedUpgradeSpec = ImageBasedUpgradeSpec()
    """What the user wants."""

    status: ImageBasedUpgradeStatus = ImageBasedUpgradeStatus()
    """What was observed."""

    @property
    def desired_stateroot(self) -> str:
        """Name of the stateroot to upgrade to; being booted into it is what `after pivot` means."""
        return (self.spec.seed_image_ref or SeedImageRef()).stateroot
