"""The registry of itineraries: there is one for every work, and it can be loaded."""

import pytest

from agent.ibu.decide import Work
from agent.ibu.itineraries import load_itinerary


@pytest.mark.parametrize("work", list(Work))
def test_load_itinerary_gives_steps_for_every_work(work: Work) -> None:
    itinerary = load_itinerary(work)
    assert itinerary.steps
    assert itinerary.name == work
