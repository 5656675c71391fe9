"""The trial of manifests: what is clear without asking the API server, and how it goes on where it stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from agent.ibu.prep.at_once import AT_ONCE
from agent.ibu.prep.findings import KEPT_CHARACTERS, BoundedTexts
from agent.ibu.prep.trial import DryRun, Problem, TrialState, Warned, advance_trial, plan_trial
from agent.kube import Client, Kind, Object, Resource, errors


def make(name: object, kind: str = "v1/ConfigMap", namespace: object = "default", **metadata: object) -> Object:
    api_version, _, kind = kind.rpartition("/")
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata}}


@pytest.mark.parametrize(
    ("obj", "verdict"),
    [
        (make(None), Problem("ConfigMap resource name is empty")),
        (make({"a": 1}), Problem("ConfigMap resource name is empty")),
        (make("a", namespace=["b"]), Problem("ConfigMap[a]: metadata.namespace is no text")),
        (make("a", annotations="b"), Problem("ConfigMap[a]: metadata.annotations is no map")),
        (
            make("mc", "machineconfiguration.openshift.io/v1/MachineConfig"),
            Problem("MachineConfig[mc] in extramanifests is not allowed"),
        ),
        (
            make("a", namespace="nowhere"),
            Warned("ConfigMap[a] - namespace nowhere not found on cluster or not added in configmap in right order"),
        ),
        (make("a", namespace="there"), DryRun(make("a", namespace="there"))),
        (make("a", namespace=None), DryRun(make("a", namespace=None))),
        (make("ns", "v1/Namespace", None), None),
    ],
)
def test_plan_knows_what_need_not_be_asked(obj: Object, verdict: object) -> None:
    assert list(plan_trial([obj], ["there"])) == [verdict]


def test_plan_counts_a_namespace_for_what_comes_after_it() -> None:
    early, late = make("a", namespace="new"), make("b", namespace="new")
    first, _, last = plan_trial([early, make("new", "v1/Namespace", None), late], [])
    assert isinstance(first, Warned)
    assert last == DryRun(late, elsewhere=True)


class AdminStub:
    """Accepts what is tried; `fail` may raise instead. Everything else of a client is missing on purpose."""

    def __init__(self, fail: Callable[[str], None] = lambda name: None) -> None:
        self._fail = fail
        self.tried: list[str] = []
        self.lock = threading.Lock()

    def resource(self, kind: Kind) -> Resource:
        return Resource(kind, "configmaps", namespaced=True)

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        return None

    def create(self, obj: Object, *, dry_run: bool) -> Object:
        assert dry_run
        with self.lock:
            self.tried.append(obj["metadata"]["name"])
        self._fail(obj["metadata"]["name"])
        return obj


def advance(stub: AdminStub, state: TrialState, objects: int = 100, seconds: float = 0.0) -> bool:
    plan = [DryRun(make(f"c{number:05}")) for number in range(objects)]
    return advance_trial(cast(Client, stub), plan, state, seconds, clock=lambda: 0.0)


def test_trial_in_several_goes_tries_everything_once() -> None:
    stub, state, goes = AdminStub(), TrialState(), 1
    while not advance(stub, state):
        goes += 1
    assert sorted(stub.tried) == [f"c{number:05}" for number in range(100)]
    assert (state.tried, goes) == (100, 2)


def test_trial_with_enough_time_takes_one_go() -> None:
    assert advance(AdminStub(), TrialState(), seconds=1.0)


def test_trial_runs_a_few_dry_runs_at_a_time() -> None:
    all_there = threading.Barrier(AT_ONCE, timeout=30)

    def meet(name: str) -> None:
        if int(name[1:]) < AT_ONCE:
            all_there.wait()

    assert advance(AdminStub(meet), TrialState(), seconds=1.0)


def test_trial_that_breaks_keeps_what_was_found_before_and_nothing_twice() -> None:
    broken = threading.Event()

    def fail(name: str) -> None:
        if name == "c00070" and not broken.is_set():
            broken.set()
            raise errors.Transient("the API server restarts", status=500)
        if name.endswith("1"):
            raise errors.Invalid(f"{name} is bad", status=422)

    stub, state = AdminStub(fail), TrialState()
    with pytest.raises(errors.Transient):
        advance(stub, state, seconds=1.0)
    assert 0 < state.tried <= 70
    assert advance(stub, state, seconds=1.0)
    start = "ConfigMap[{0}] - dryrun failed in namespace default: "
    text = start + "failed to create manifest ConfigMap called {0}: {0} is bad"
    assert state.warnings.kept == [text.format(f"c{number:05}") for number in range(1, 100, 10)]


def test_trial_where_everything_is_refused_keeps_a_bounded_length() -> None:
    def fail(name: str) -> None:
        raise errors.Forbidden("x" * 1000, status=403)

    state = TrialState()
    assert advance(AdminStub(fail), state, objects=2000, seconds=1.0)
    assert sum(map(len, state.problems.kept)) <= KEPT_CHARACTERS
    assert len(state.problems.kept) + state.problems.dropped == 2000
    assert state.problems.list_with_rest()[-1] == f"and {state.problems.dropped} more"


def test_bounded_texts_keep_one_text_of_any_length() -> None:
    texts = BoundedTexts()
    texts.add("x" * (KEPT_CHARACTERS + 1))
    texts.add("y")
    assert (len(texts.kept), texts.dropped) == (1, 1)
