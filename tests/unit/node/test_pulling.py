import threading

import pytest

from agent.node.pulling import DELAYS_SECONDS, pull_in_parallel, pull_with_retries
from hostops.runner import CommandError


class Podman:
    """Fails with the given outputs, one per attempt, then succeeds."""

    def __init__(self, *outputs):
        self.outputs = list(outputs)
        self.attempts = 0

    def pull(self, image, authfile):
        self.attempts += 1
        if self.outputs:
            raise CommandError(("podman", "pull"), 125, self.outputs.pop(0), "exit status 125")


def pull(podman):
    pauses = []
    return pull_with_retries(podman, "/auth", "q/a:1", pauses.append), pauses


def test_pull_that_fails_for_a_while_succeeds_after_growing_pauses():
    assert pull(podman := Podman("timeout", "timeout")) == (None, [1.0, 2.0])
    assert podman.attempts == 3


def test_pull_that_keeps_failing_is_given_up_after_five_attempts():
    error, pauses = pull(podman := Podman(*["timeout"] * 9))
    assert str(error) == "timeout: exit status 125"
    assert (podman.attempts, tuple(pauses)) == (5, DELAYS_SECONDS)


def test_pull_of_an_unknown_image_is_given_up_at_once():
    error, pauses = pull(podman := Podman("reading manifest 1: manifest unknown: x"))
    assert error is not None
    assert (podman.attempts, pauses) == (1, [])


def test_parallel_pulls_never_exceed_the_limit_and_reach_it():
    barrier, running, most = threading.Barrier(3), [], []
    lock = threading.Lock()

    def work(image):
        with lock:
            running.append(image)
            most.append(len(running))
        barrier.wait(timeout=30)  # passes only when three run at once
        with lock:
            running.remove(image)

    images = [str(number) for number in range(9)]
    assert sorted(image for image, _ in pull_in_parallel(images, work, 3)) == images
    assert max(most) == 3


def test_parallel_pulls_hand_an_unexpected_error_to_the_caller():
    def work(image):
        raise ZeroDivisionError(image)

    with pytest.raises(ZeroDivisionError):
        list(pull_in_parallel(["a"], work, 2))


def test_parallel_pulls_of_nothing_end_at_once():
    assert list(pull_in_parallel([], lambda image: None, 10)) == []
