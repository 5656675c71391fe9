"""The state machine without any I/O: objects are built from short texts, the clock is a value, nothing is faked."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from agent.workflow.conditions import Conditions
from crds.base import Condition, ObjectMeta
from crds.imagebasedupgrade import (
    ImageBasedUpgrade,
    ImageBasedUpgradeSpec,
    ImageBasedUpgradeStatus,
    SeedImageRef,
    Stage,
)

EARLIER = datetime(2024, 6, 26, tzinfo=UTC)
NOW = datetime(2024, 6, 26, 1, tzinfo=UTC)

MakeConditions = Callable[..., Conditions]
MakeIbu = Callable[..., ImageBasedUpgrade]
Shorten = Callable[[ImageBasedUpgrade], list[str]]


def build_conditions(*short: str) -> Conditions:
    """`Idle=False/InProgress` or `Idle=False/InProgress/message`, of generation 1 and set earlier."""

    def build(text: str) -> Condition:
        type_, _, rest = text.partition("=")
        status, reason, *message = rest.split("/", 2)
        return Condition(
            type=type_,
            status=status,  # type: ignore[arg-type]
            reason=reason,
            message=message[0] if message else "old",
            observed_generation=1,
            last_transition_time=EARLIER,
        )

    return tuple(build(text) for text in short)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_conditions() -> MakeConditions:
    return build_conditions


@pytest.fixture
def make_ibu() -> MakeIbu:
    """`make_ibu("Idle=True/Idle", stage="Prep")`: an object of generation 2 with a status of generation 1."""

    def make(*short: str, stage: str | None = "Idle", annotations: tuple[str, ...] = ()) -> ImageBasedUpgrade:
        return ImageBasedUpgrade(
            metadata=ObjectMeta(name="upgrade", generation=2, annotations=dict.fromkeys(annotations, "")),
            spec=ImageBasedUpgradeSpec(
                stage=Stage(stage) if stage else None, seed_image_ref=SeedImageRef(version="4.16.1")
            ),
            status=ImageBasedUpgradeStatus(conditions=build_conditions(*short)),
        )

    return make


@pytest.fixture
def shorten() -> Shorten:
    """The conditions as `Idle=False/Aborting/Aborting`."""
    return lambda ibu: [f"{c.type}={c.status}/{c.reason}/{c.message}" for c in ibu.status.conditions]
