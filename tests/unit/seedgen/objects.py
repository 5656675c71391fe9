"""SeedGenerators from short texts."""

from __future__ import annotations

from datetime import UTC, datetime

from crds.base import Condition, ObjectMeta
from crds.seedgenerator import SeedGenerator, SeedGeneratorSpec, SeedGeneratorStatus

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


def make_cr(*short: str, uid: str = "uid", generation: int = 1) -> SeedGenerator:
    """`SeedGenInProgress=True/InProgress/message`: conditions set earlier."""

    def build(text: str) -> Condition:
        type_, _, rest = text.partition("=")
        status, reason, message = rest.split("/", 2)
        return Condition(
            type=type_,
            status=status,  # type: ignore[arg-type]
            reason=reason,
            message=message,
            observed_generation=1,
            last_transition_time=EARLIER,
        )

    return SeedGenerator(
        metadata=ObjectMeta(name="seedimage", uid=uid, generation=generation),
        spec=SeedGeneratorSpec(seed_image="quay.io/org/seed:1"),
        status=SeedGeneratorStatus(conditions=tuple(map(build, short))),
    )


def shorten(cr: SeedGenerator) -> list[str]:
    return [f"{c.type}={c.status}/{c.reason}/{c.message}" for c in cr.status.conditions]
