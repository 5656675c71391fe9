"""The ways back as lists of steps. What can fail comes before what can not be undone: the default is switched last."""

from __future__ import annotations

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.rollback.automatic import send_back
from agent.ibu.rollback.confirming import forget_pivot, keep_original
from agent.ibu.rollback.steps import (
    call_off_watchdog,
    check_return,
    describe_expiration,
    prepare,
    reboot,
    save,
    switch_default,
)
from agent.workflow.step import Itinerary, Step

ROLLBACK: Itinerary[StageContext] = Itinerary(
    "rollback",
    (
        Step("check_return", check_return),
        Step("prepare", prepare, announce=messages.INITIATING_ROLLBACK, remark=describe_expiration),
        Step("call_off_watchdog", call_off_watchdog),
        Step("save", save, announce=messages.COMPLETING_ROLLBACK, remark=describe_expiration),
        Step("switch_default", switch_default),
        Step("reboot", reboot),
    ),
)
"""In the new release, when the user asks for it."""

CONFIRM_ROLLBACK: Itinerary[StageContext] = Itinerary(
    "confirm-rollback", (Step("keep_original", keep_original), Step("forget_pivot", forget_pivot))
)
"""In the original release, whoever booted it."""

AUTOMATIC_ROLLBACK: Itinerary[StageContext] = Itinerary("automatic-rollback", (Step("send_back", send_back),))
"""In the new release, when the upgrade has failed."""
