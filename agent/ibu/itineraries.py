"""Which itinerary carries out which work; imported only when the work is due: an idle operator stays small."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.ibu.decide import Facts, Work
from agent.ibu.ports import Ports
from agent.ibu.resource import LiveResource
from agent.workflow.outcome import Failed, Outcome
from agent.workflow.step import Itinerary, Step
from crds.imagebasedupgrade import ImageBasedUpgrade
from hostops.rpmostree import Deployments


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a step of the upgrade gets: the doors to the world, the resource, and what the pass has found.

    `deployments` are those at the start of the pass. `now` is the time, in UTC.
    """

    ports: Ports
    resource: LiveResource
    facts: Facts
    deployments: Deployments
    now: Callable[[], datetime]

    @property
    def cr(self) -> ImageBasedUpgrade:
        """The custom resource as of the last write."""
        return self.resource.cr


ITINERARIES: dict[Work, str] = {
    Work.PREP: "agent.ibu.prep.itinerary:PREP",
    Work.PRE_PIVOT: "agent.ibu.prepivot.itinerary:PRE_PIVOT",
    Work.POST_PIVOT: "agent.ibu.postpivot.itinerary:POST_PIVOT",
    Work.ROLLBACK: "agent.ibu.rollback.itinerary:ROLLBACK",
    Work.CONFIRM_ROLLBACK: "agent.ibu.rollback.itinerary:CONFIRM_ROLLBACK",
    Work.AUTOMATIC_ROLLBACK: "agent.ibu.rollback.itinerary:AUTOMATIC_ROLLBACK",
    Work.ABORT: "agent.ibu.cleanup.itinerary:ABORT",
    Work.FINALIZE: "agent.ibu.cleanup.itinerary:FINALIZE",
}
"""Work -> `module:attribute` of its `Itinerary[StageContext]`."""


def load_itinerary(work: Work) -> Itinerary[StageContext]:
    """Return the itinerary for `work`; one that says so when this version of the operator has none."""
    if work not in ITINERARIES:
        return _make_unavailable(work)
    module, _, attribute = ITINERARIES[work].partition(":")
    itinerary = getattr(importlib.import_module(module), attribute)
    assert isinstance(itinerary, Itinerary)
    return itinerary


def _make_unavailable(work: Work) -> Itinerary[StageContext]:
    text = f"this version of the operator can not do the {work} part of an upgrade; nothing was changed on the node"

    def refuse(_: StageContext) -> Outcome:
        return Failed(text)

    return Itinerary(f"{work}-unavailable", (Step("refuse", refuse),))
