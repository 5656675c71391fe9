"""The blocking side of the queue, with real threads."""

import threading

from agent.runtime.delay_queue import DelayQueue


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def take_in_thread(queue: DelayQueue[str]) -> tuple[threading.Thread, list[str | None]]:
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    return thread, taken


def test_take_waiting_gets_an_entry_added_later() -> None:
    queue: DelayQueue[str] = DelayQueue()
    thread, taken = take_in_thread(queue)
    queue.add("a")
    thread.join(5)
    assert taken == ["a"]


def test_take_waiting_for_a_far_entry_is_woken_by_a_nearer_one() -> None:
    queue: DelayQueue[str] = DelayQueue()
    queue.add("a", 1000)
    thread, taken = take_in_thread(queue)
    queue.add("a")
    thread.join(5)
    assert taken == ["a"]


def test_take_delayed_entry_waits_for_its_time() -> None:
    queue: DelayQueue[str] = DelayQueue()
    queue.add("later", 0.02)
    assert queue.take() == "later"


def test_take_closed_queue_returns_none_and_drops_entries() -> None:
    queue: DelayQueue[str] = DelayQueue()
    queue.add("a")
    queue.close()
    assert queue.take() is None


def test_close_wakes_a_waiting_taker() -> None:
    queue: DelayQueue[str] = DelayQueue()
    thread, taken = take_in_thread(queue)
    queue.close()
    thread.join(5)
    assert taken == [None]


def test_depth_counts_due_entries_only() -> None:
    clock = Clock()
    queue: DelayQueue[str] = DelayQueue(clock)
    queue.add("now")
    queue.add("later", 10)
    assert queue.depth() == 1
    clock.now = 10
    assert queue.depth() == 2


def test_add_notifies_the_observer_for_every_entry() -> None:
    queue: DelayQueue[str] = DelayQueue()
    seen: list[int] = []
    queue.on_add = lambda: seen.append(1)
    queue.add("a")
    queue.add("a", 5)
    assert len(seen) == 2
