import logging

import pytest

from agent.node.waiting import Clock, Retrier, TimedOut, wait_for


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.seconds = 1000.0
        self.clock = Clock(lambda: self.seconds, self.sleep)

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def time():
    return FakeTime()


def test_wait_returns_what_is_found(time):
    found = iter([None, None, "it"])
    assert wait_for(lambda: next(found), "it", time.clock, timeout_seconds=None) == "it"
    assert time.seconds == 1002


def test_wait_gives_up_after_its_time_and_says_what_it_saw_last(time):
    with pytest.raises(TimedOut, match=r"^timed out after 1m30s waiting for the API: connection refused$"):
        wait_for(lambda: None, "the API", time.clock, timeout_seconds=90, last_seen=lambda: "connection refused")
    assert time.seconds == 1090


def test_wait_without_end_tells_every_half_minute_what_it_waits_for(time, caplog):
    caplog.set_level(logging.INFO)
    wait_for(lambda: True if time.seconds >= 1100 else None, "the disk", time.clock, timeout_seconds=None)
    assert caplog.messages == [f"waiting for the disk since {text}" for text in ("30s", "1m0s", "1m30s")]


class Flaky:
    """Fails with the errors given, then returns how often it was called."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def be_patient(error):
    return {"passing": 100.0, "final": 0.0}[str(error)]


def test_retrier_tries_again_while_errors_may_pass(time):
    assert Retrier(time.clock, be_patient).call(Flaky(ValueError("passing"), ValueError("passing"))) == 3


def test_retrier_raises_a_final_error_at_once(time):
    flaky = Flaky(ValueError("passing"), ValueError("final"))
    with pytest.raises(ValueError, match="final"):
        Retrier(time.clock, be_patient).call(flaky)
    assert flaky.calls == 2


def test_retrier_bounds_all_calls_of_a_step_together(time):
    retrier = Retrier(time.clock, be_patient)
    retrier.call(Flaky(ValueError("passing")))
    time.sleep(90)
    with pytest.raises(ValueError, match="passing"):
        retrier.call(Flaky(*[ValueError("passing")] * 10))
    assert time.seconds <= 1100
