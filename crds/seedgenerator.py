"""SeedGenerator, the object that turns the cluster it lives in into a seed image (seed-image-and-gitops.md A.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from crds.base import Column, Condition, CustomResource, Definition, Int64, K8sModel, Rule, Time
from crds.imagebasedupgrade import PullSpec


class ConditionType(StrEnum):
    """Types of the conditions."""

    IN_PROGRESS = "SeedGenInProgress"
    COMPLETED = "SeedGenCompleted"


class SeedGeneratorSpec(K8sModel):
    """What the user wants; can not be changed."""

    rules: ClassVar = (Rule("cannot modify spec, cr must be deleted and recreated", ("self == oldSelf",)),)

    seed_image: PullSpec | None = None
    """Pull spec under which the seed image is pushed."""

    recert_image: PullSpec | None = None
    """Pull spec of the recert image to use instead of the operator's own."""


class SeedGeneratorStatus(K8sModel):
    """What was observed."""

    observed_generation: Int64 = 0
    """The metadata.generation that the status is based on."""

    started_at: Time | None = None
    """When the generation of the seed image started."""

    completed_at: Time | None = None
    """When the seed image was complete."""

    conditions: tuple[Condition, ...] = ()
    """Progress and result. The order carries meaning: the last condition is the one that changed last."""


class SeedGenerator(CustomResource):
    """Makes a seed image of this cluster. There is one object, named seedimage."""

    definition: ClassVar = Definition(
        group="lca.openshift.io",
        version="v1",
        kind="SeedGenerator",
        plural="seedgenerators",
        short_names=("seedgen",),
        scope="Cluster",
        columns=(
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("State", ".status.conditions[-1:].type"),
            Column("Details", ".status.conditions[-1:].message"),
        ),
    )
    rules: ClassVar = (
        Rule("seedgen is a singleton, metadata.name must be 'seedimage'", ("self.metadata.name == 'seedimage'",)),
    )

    spec: SeedGeneratorSpec = SeedGeneratorSpec()
    """What the user wants; can not be changed."""

    status: SeedGeneratorStatus = SeedGeneratorStatus()
    """What was observed."""
