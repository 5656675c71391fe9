"""Watching with kopf, and nothing else of kopf.

Handlers are called in kopf's loop, so they may only enqueue. They return None, nothing is registered that keeps state,
and kopf's own event posting and peering are off: no annotation, finalizer, status or event of kopf ever appears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.kube import Client, Event, Resource
from agent.runtime.kopf_login import Login, OnRequest, OnResponse
from agent.runtime.lean_kopf import kopf
from agent.runtime.watch import Watch


async def watch_with_kopf(client: Client, watches: Mapping[Watch, Resource], on_response: OnResponse) -> None:
    """Watch until cancelled; raises what makes kopf give up."""
    registry, settings = kopf.OperatorRegistry(), make_settings()
    for index, (watch, resource) in enumerate(watches.items()):
        group, version, plural = watch.kind.group, watch.kind.version, resource.plural
        if watch.name is not None:
            settings.watching.field_selectors[group, plural] = f"metadata.name={watch.name}"
        kopf.on.event(group, version, plural, id=f"watch-{index}", registry=registry)(_make_handler(watch))
    namespaces = _find_namespaces(watches)
    login = Login(client, _make_opener(watches, namespaces), on_response)
    login.register(registry)
    try:
        await kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
    finally:
        await login.close()


def _find_namespaces(watches: Mapping[Watch, Resource]) -> Sequence[str]:
    """Return the namespaces to watch, none for all of them."""
    if any(watch.namespace is None and resource.namespaced for watch, resource in watches.items()):
        return ()
    return sorted({watch.namespace for watch in watches if watch.namespace is not None})


def _make_opener(watches: Mapping[Watch, Resource], namespaces: Sequence[str]) -> OnRequest:
    """kopf lists before it opens a stream: from the moment it does, nothing can happen without an event."""
    by_path: dict[str, list[Watch]] = {}
    for watch, resource in watches.items():
        by_path.setdefault(resource.path(watch.namespace if namespaces else None), []).append(watch)

    def handle(_: str, path: str, opens_watch: bool) -> None:
        if opens_watch:
            for watch in by_path.get(path, ()):
                watch.on_open()

    return handle


def make_settings() -> kopf.OperatorSettings:
    """Return kopf's settings for watching only: no traces in the cluster, no scan of all CRDs, no needless requests."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # It would list and watch every CRD of the cluster with its schema; what is watched here is known.
    settings.scanning.disabled = True
    # An object may carry the default finalizer of another kopf operator, which is not ours to remove.
    settings.persistence.finalizer = "lca.openshift.io/never-used-by-kopf"
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.exit_timeout = 0.1
    # Servers send a bookmark each minute; a few may be missing before a stream counts as dead.
    settings.watching.inactivity_timeout = 300.0
    settings.watching.connect_timeout = 10.0
    settings.networking.connect_timeout = 10.0
    settings.networking.request_timeout = 60.0
    settings.networking.error_backoffs = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0)
    return settings


def _make_handler(watch: Watch) -> Callable[..., Any]:
    async def handle(event: Any, **_: Any) -> None:
        obj = event["object"]
        if watch.namespace is not None and obj["metadata"].get("namespace") != watch.namespace:
            return
        watch.on_event(Event(event["type"] or "ADDED", obj))

    return handle
