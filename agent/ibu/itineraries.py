"""Which itinerary carries out which work; imported only when the work is due: an idle operator stays small."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.ibu.decide import Facts, Work
from agent.ibu.ports import Ports
from agent.ibu.resource import LiveResource
from agent.workflow.step import Itinerary
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
    """Return the itinerary for `work`."""
    module, _, attribute = ITINERARIES[work].partition(":")
    itinerary = getattr(importlib.import_module(module), attribute)
    assert isinstance(itinerary, Itinerary)
    return itinerary
