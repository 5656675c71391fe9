"""Start and stop of a process's parts, with real signals."""

import os
import signal

from agent.runtime.process import StopRequest, run_parts, stop_on_signals


class Recorder:
    def __init__(self, name: str, log: list[str], *, ends: bool = True) -> None:
        self.name, self.log, self.ends = name, log, ends

    def start(self) -> None:
        self.log.append(f"start {self.name}")

    def stop(self, timeout_seconds: float) -> bool:
        self.log.append(f"stop {self.name}")
        return self.ends


def test_run_parts_stops_in_reverse_order_also_behind_a_busy_one() -> None:
    log: list[str] = []
    request = StopRequest()
    request.set("test", exit_code=3)
    assert run_parts([Recorder("a", log), Recorder("b", log, ends=False)], request) == 3
    assert log == ["start a", "start b", "stop b", "stop a"]


def test_signal_becomes_a_stop_request_and_handlers_are_put_back() -> None:
    request, before = StopRequest(), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(request):
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.wait(5)
    assert (request.reason, request.exit_code) == ("SIGTERM", 0)
    assert signal.getsignal(signal.SIGTERM) == before


def test_stop_request_the_first_reason_counts() -> None:
    request = StopRequest()
    request.set("TLS profile changed")
    request.set("SIGTERM", exit_code=1)
    assert (request.reason, request.exit_code) == ("TLS profile changed", 0)
