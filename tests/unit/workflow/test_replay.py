"""The replay driver: from the top in every pass, and what it tells about each step."""

from datetime import timedelta

import pytest

from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.replay import Completed, Ended, Started, replay
from agent.workflow.step import Itinerary, Step, Traits

WAIT = Wait("not yet", timedelta(seconds=30))


class Bed:
    """Outcomes by step name (done when not given), and the names of the steps that ran."""

    def __init__(self, **outcomes: Outcome) -> None:
        self.outcomes, self.ran = outcomes, list[str]()

    def make_step(self, name: str, phase: str = "", announce: str = "", trait: str = "") -> Step["Bed"]:
        def run(bed: Bed) -> Outcome:
            bed.ran.append(name)
            return bed.outcomes.get(name, Done())

        return Step(name, run, phase, announce, lambda traits: not trait or trait in traits)


def make_itinerary(*steps: tuple[str, ...]) -> Itinerary[Bed]:
    return Itinerary("test", tuple(Bed().make_step(*step) for step in steps))


ABC = make_itinerary(("a", "", "doing a"), ("b", "", "doing b"), ("c", "", "doing c"))


def test_pass_with_all_steps_done_ends_completed() -> None:
    bed = Bed()
    events = list(replay(ABC, bed))
    assert (bed.ran, events[-1]) == (["a", "b", "c"], Completed())


@pytest.mark.parametrize("outcome", [WAIT, Failed("broken")])
def test_pass_ends_with_the_step_that_is_not_done(outcome: Outcome) -> None:
    bed = Bed(b=outcome)
    assert list(replay(ABC, bed))[-1] == Ended(ABC.steps[1], outcome, ends_phase=False)
    assert bed.ran == ["a", "b"]


def test_step_does_not_run_before_its_start_is_taken() -> None:
    bed = Bed()
    events = replay(ABC, bed)
    assert next(events) == Started(ABC.steps[0], "doing a")
    assert bed.ran == []


def test_second_pass_starts_from_the_top() -> None:
    bed = Bed(b=WAIT)
    list(replay(ABC, bed))
    list(replay(ABC, bed))
    assert bed.ran == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("resume", "announced"),
    [("", ["doing a", "doing b", "doing c"]), ("b", ["", "", "doing c"]), ("gone", ["doing a", "doing b", "doing c"])],
)
def test_announcements_up_to_the_last_pass_are_left_out(resume: str, announced: list[str]) -> None:
    events = replay(ABC, Bed(), resume=resume)
    started = [event for event in events if isinstance(event, Started)]
    assert [event.announce for event in started] == announced
    assert [event.again for event in started] == [not each for each in announced]


def test_steps_that_do_not_apply_are_not_seen() -> None:
    itinerary = make_itinerary(("a", "", "", "oadp"), ("b",))
    bed = Bed()
    list(replay(itinerary, bed))
    assert bed.ran == ["b"]
    list(replay(itinerary, bed, traits=frozenset({"oadp"})))
    assert bed.ran == ["b", "a", "b"]


def test_itinerary_observes_once_what_its_gates_ask_for() -> None:
    looked = list[Bed]()

    def observe(bed: Bed) -> Traits:
        looked.append(bed)
        return frozenset({"oadp"})

    bed = Bed()
    gated = make_itinerary(("a", "", "", "oadp"), ("b", "", "", "oadp"))
    list(replay(Itinerary("test", gated.steps, observe), bed))
    assert (bed.ran, looked) == (["a", "b"], [bed])


def test_phase_ends_with_its_last_step_that_applies() -> None:
    itinerary = make_itinerary(("a", "one"), ("b", "one"), ("skipped", "one", "", "never"), ("c",), ("d", "two"))
    ended = [event for event in replay(itinerary, Bed()) if isinstance(event, Ended)]
    assert [(event.step.name, event.ends_phase) for event in ended] == [
        ("a", False),
        ("b", True),
        ("c", False),
        ("d", True),
    ]


def test_phase_does_not_end_while_its_last_step_waits() -> None:
    itinerary = make_itinerary(("a", "one"), ("b",))
    assert list(replay(itinerary, Bed(a=WAIT)))[-1] == Ended(itinerary.steps[0], WAIT, ends_phase=False)


def test_empty_itinerary_is_completed() -> None:
    assert list(replay(make_itinerary(), Bed())) == [Completed()]


@pytest.mark.parametrize(
    ("steps", "told"),
    [([("a",), ("b",), ("a",)], "step a"), ([("a", "one"), ("b", "two"), ("c", "one")], "phase one")],
)
def test_itinerary_with_a_repeated_name_is_refused(steps: list[tuple[str, ...]], told: str) -> None:
    with pytest.raises(ValueError, match=f"itinerary test: {told} occurs in two places"):
        make_itinerary(*steps)


def test_remark_is_added_to_the_announcement_of_this_pass() -> None:
    step: Step[str] = Step("a", lambda _: Done(), announce="doing a", remark=lambda context: f"; {context}")
    silent: Step[str] = Step("b", lambda _: Done(), remark=lambda context: "never shown")
    started = [event for event in replay(Itinerary("test", (step, silent)), "near") if isinstance(event, Started)]
    assert [event.announce for event in started] == ["doing a; near", ""]
