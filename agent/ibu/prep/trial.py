"""Tries manifests on the cluster in dry runs: some at a time, and only for some seconds in one go (prep.md 4.4.3).

Users may hand over tens of thousands of objects, each of which takes two or three requests. A pass of the controller
must not take minutes for that, because an abort would have to wait for its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from agent.ibu.manifests.config_maps import find_fault
from agent.ibu.prep.at_once import map_at_once
from agent.ibu.prep.findings import BoundedTexts
from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import ApplyError, apply_manifest

NAMESPACE = Kind("", "v1", "Namespace")
DEFAULT_NAMESPACE = "default"
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """The object stops Prep."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The object would be refused as things are now."""

    text: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """Only the API server can tell. `elsewhere`: the object's namespace will be made together with it."""

    obj: Object
    elsewhere: bool = False


Verdict: TypeAlias = Problem | Warned | None


@dataclass(slots=True)
class TrialState:
    """How many objects have been looked at, and what was found, in bounded length."""

    tried: int = 0
    problems: BoundedTexts = field(default_factory=BoundedTexts)
    warnings: BoundedTexts = field(default_factory=BoundedTexts)

    def note(self, verdicts: Sequence[Verdict]) -> None:
        """Add the verdicts of the next objects."""
        self.tried += len(verdicts)
        for verdict in verdicts:
            match verdict:
                case Problem(text):
                    self.problems.add(text)
                case Warned(text):
                    self.warnings.add(text)


def plan_trial(ordered: Iterable[Object], namespaces: Iterable[str]) -> Iterator[Verdict | DryRun]:
    """Say for each object, in the order in which they will be applied, what is wrong or what is to be asked. Pure.

    `namespaces` are those of the cluster; one among the objects counts for what comes after it.
    """
    existing = {DEFAULT_NAMESPACE, *namespaces}
    added: set[str] = set()
    for obj in ordered:
        kind, metadata = Kind.of(obj), obj.get("metadata") or {}
        name, namespace = metadata.get("name"), metadata.get("namespace") or ""
        if fault := find_fault(obj):
            yield Problem(fault)
        elif kind == NAMESPACE:
            added.add(str(name))
            yield None
        elif namespace and namespace not in existing | added:
            yield Warned(
                f"{_label(obj)} - namespace {namespace} not found on cluster or not added in configmap in right order"
            )
        else:
            yield DryRun(obj, elsewhere=namespace in added - existing)


def advance_trial(
    admin: Client,
    plan: Sequence[Verdict | DryRun],
    state: TrialState,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Go on with a trial where `state` says; return whether it is complete.

    It stops soon after `seconds`, but never without having tried something. Raises transient ApiErrors; `state` then
    holds what was found before.
    """
    deadline = clock() + seconds
    while state.tried < len(plan):
        batch = plan[state.tried : state.tried + _BATCH]
        state.note(list(map_at_once(partial(_carry_out, admin), batch)))
        if clock() >= deadline:
            break
    return state.tried >= len(plan)


def _carry_out(admin: Client, item: Verdict | DryRun) -> Verdict:
    if not isinstance(item, DryRun):
        return item
    try:
        if item.elsewhere:
            _try_elsewhere(admin, item.obj)
        else:
            apply_manifest(admin, item.obj, dry_run=True)
    except ApplyError as error:
        namespace = (item.obj.get("metadata") or {}).get("namespace") or ""
        match error.cause:
            case errors.Transient():
                raise error.cause from error
            case errors.KindNotServed():
                return Warned(f"{_label(item.obj)} - CRD not deployed on cluster")
            case cause if cause and _is_refusal(cause):
                return Warned(f"{_label(item.obj)} - dryrun failed in namespace {namespace}: {error}")
            case _:
                return Problem(f"failed to validate manifest with dryrun: {error}")
    return None


def _try_elsewhere(admin: Client, obj: Object) -> None:
    """Try a new object of a namespace that does not exist yet where one does: the schema is the same."""
    moved = {**obj, "metadata": {**obj["metadata"], "namespace": DEFAULT_NAMESPACE}}
    try:
        admin.create(moved, dry_run=True)
    except errors.AlreadyExists:
        return
    except errors.ApiError as error:
        text = f"failed to create manifest {obj['kind']} called {obj['metadata']['name']}: {error}"
        raise ApplyError(text, error) from error


def _is_refusal(error: errors.ApiError) -> bool:
    """Tell whether the server looked at the object and said no; a webhook may say so with any code."""
    denied = "admission webhook" in str(error) and "denied the request" in str(error)
    return denied or isinstance(error, errors.Invalid | errors.BadRequest)


def _label(obj: Object) -> str:
    return f"{obj['kind']}[{obj['metadata']['name']}]"
