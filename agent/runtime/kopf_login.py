"""kopf talks to the same API server, as the same user and with the same trust, as the project's own client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import aiohttp

from agent.kube import Client
from agent.runtime.lean_kopf import kopf
from agent.runtime.schedule import Backoff

OnRequest: TypeAlias = Callable[[str, str, bool], object]
OnResponse: TypeAlias = Callable[[str, int], object]

_SETTLED_SECONDS = 300.0


class Login:
    """Gives kopf a session at its start and a new one whenever the server answers 401 (a rotated token).

    `on_request` is called with method, path and whether it opens a watch, before a request is sent; `on_response` with
    method and status of the answer.
    """

    def __init__(self, client: Client, on_request: OnRequest, on_response: OnResponse) -> None:
        self._access = client.access
        self._trace = _make_trace(on_request, on_response)
        self._backoff: Backoff[None] = Backoff(initial=0.1, maximum=60.0)
        self._last = float("-inf")
        self._sessions: list[aiohttp.ClientSession] = []

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Add the login handler to `registry`."""
        kopf.on.login(registry=registry)(self._log_in)

    async def close(self) -> None:
        """Close all sessions; kopf forgets the one it got after an error."""
        while self._sessions:
            await self._sessions.pop().close()

    async def _log_in(self, **_: Any) -> kopf.AiohttpSession:
        # kopf asks again at once after a 401; credentials that stay refused must not become a busy loop.
        if time.monotonic() - self._last < _SETTLED_SECONDS:
            await asyncio.sleep(self._backoff.next_delay(None))
        else:
            self._backoff.reset(None)
        self._last = time.monotonic()
        authorization = await asyncio.to_thread(self._access.authorization)
        ssl_context = await asyncio.to_thread(self._access.build_ssl_context)
        await self.close()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl_context),
            headers={"Authorization": authorization} if authorization else {},
            proxy=self._access.proxy,
            trace_configs=[self._trace],
        )
        self._sessions.append(session)
        return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)


def _make_trace(on_request: OnRequest, on_response: OnResponse) -> aiohttp.TraceConfig:
    async def start(_: Any, __: Any, request: aiohttp.TraceRequestStartParams) -> None:
        on_request(request.method, request.url.path, request.url.query.get("watch") == "true")

    async def end(_: Any, __: Any, request: aiohttp.TraceRequestEndParams) -> None:
        on_response(request.method, request.response.status)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(start)
    trace.on_request_end.append(end)
    return trace
