"""Watching with kopf, and nothing else of kopf.

Handlers are called in kopf's loop, so they may only enqueue. They return None, nothing is registered that keeps state,
and kopf's own event posting and peering are off: no annotation, finalizer, status or event of kopf ever appears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from agent.kube import Client, Event, Resource
from agent.runtime.kopf_login import Login
from agent.runtime.lean_kopf import kopf
from agent.runtime.watch import Watch


async def watch_with_kopf(client: Client, watches: Mapping[Watch, Resource], leave: asyncio.Event) -> None:
    """Watch until `leave` is set; raises what makes kopf give up."""
    registry, settings, login = kopf.OperatorRegistry(), make_settings(), Login(client)
    login.register(registry)
    for index, (watch, resource) in enumerate(watches.items()):
        plural = resource.plural
        if watch.name is not None:
            settings.watching.field_selectors[watch.kind.group, plural] = f"metadata.name={watch.name}"
        handler = _make_handler(watch)
        kopf.on.event(watch.kind.group, watch.kind.version, plural, id=f"watch-{index}", registry=registry)(handler)
    namespaces = {watch.namespace for watch in watches if watch.namespace is not None}
    everywhere = not namespaces or any(
        watch.namespace is None and resource.namespaced for watch, resource in watches.items()
    )
    try:
        await kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=everywhere,
            namespaces=() if everywhere else sorted(namespaces),
            stop_flag=leave,
        )
    finally:
        await login.close()


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
    settings.queueing.exit_timeout = 1.0
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
