"""Liveness and readiness for the kubelet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.runtime.http_server import BindAddress, HttpServer, Response


def make_probe_server(address: BindAddress, is_alive: Mapping[str, Callable[[], bool]]) -> HttpServer:
    """Serve `/readyz` (always `ok` once the process listens) and `/healthz` (`ok` while every part in `is_alive` runs).

    A controller that works for minutes is alive; a part whose thread ended never comes back, so we are restarted.
    """

    def answer_health(_: Mapping[str, str]) -> Response:
        dead = sorted(part for part, check in is_alive.items() if not check())
        return Response(500, f"not running: {', '.join(dead)}".encode()) if dead else Response(200, b"ok")

    return HttpServer(address, {"/healthz": answer_health, "/readyz": lambda _: Response(200, b"ok")})
