"""kopf talks to the same API server, as the same user and with the same trust, as the project's own client."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from agent.kube import Client
from agent.runtime.lean_kopf import kopf
from agent.runtime.schedule import Backoff

_SETTLED_SECONDS = 300.0


class Login:
    """Gives kopf a session at its start and a new one whenever the server answers 401 (a rotated token)."""

    def __init__(self, client: Client) -> None:
        self._access = client.access
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
        )
        self._sessions.append(session)
        return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)
