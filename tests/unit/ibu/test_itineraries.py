"""The registry of itineraries: what is registered can be loaded, what is not says so."""

import pytest

from agent.ibu.decide import Work
from agent.ibu.itineraries import ITINERARIES, load_itinerary


@pytest.mark.parametrize("work", list(Work))
def test_load_itinerary_gives_steps_for_every_work(work: Work) -> None:
    itinerary = load_itinerary(work)
    assert itinerary.steps
    assert (itinerary.name == work) is (work in ITINERARIES)
