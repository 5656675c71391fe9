"""Talking to a running sandbox from outside: to its supervisor, and to process 1 of its node."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from sandbox.layout import SandboxLayout
from sandbox.node.failure import SandboxError


class NotRunningError(SandboxError):
    """The sandbox does not run."""


class RefusedError(SandboxError):
    """The sandbox refused a request; the text says why."""


def ask_supervisor(layout: SandboxLayout, *, timeout_seconds: float = 120, **request: Any) -> dict[str, Any]:
    """Send one request (`Supervisor.answer`) and return the reply. Raises NotRunningError, RefusedError, OSError."""
    try:
        data = _exchange(layout.supervisor_socket, json.dumps(request).encode() + b"\n", timeout_seconds)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NotRunningError(f"the sandbox in {layout.directory} does not run") from error
    if not data:
        raise NotRunningError(f"the supervisor of {layout.directory} ended; see {layout.logs}/supervisor.log")
    reply: dict[str, Any] = json.loads(data)
    if "error" in reply:
        raise RefusedError(reply["error"])
    return reply


def list_units(layout: SandboxLayout) -> list[dict[str, str]]:
    """Units of the running node: name, active and sub state. Empty while it does not answer."""
    try:
        data = _exchange(layout.run / "systemd/private", b"systemctl\0list-units\0\0", 5)
    except OSError:
        return []
    lines = [line.split(" ", 4) for line in data.decode().split("\0")[1].splitlines()]
    return [{"name": name, "active": active, "sub": sub} for name, _, active, sub, *_ in lines]


def _exchange(path: Path, request: bytes, timeout_seconds: float) -> bytes:
    folder = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_seconds)
            # The folder may have any length, the address of a unix socket may not.
            client.connect(f"/proc/self/fd/{folder}/{path.name}")
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))
    finally:
        os.close(folder)
