"""Registries as nobody wants them: one that cuts connections in the middle of an answer, one that never answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 4096


class FlakyProxy:
    """Forwards to `target` (host:port); the first `cuts` answers longer than `after_bytes` are broken off there."""

    def __init__(self, target: str, cuts: int, after_bytes: int) -> None:
        host, port = target.split(":")
        self._target = (host, int(port))
        self._after_bytes = after_bytes
        self._lock = threading.Lock()
        self._cuts_left = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def cuts_left(self) -> int:
        return self._cuts_left

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, cuttable: bool) -> None:
        passed = 0
        with source, contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                passed += len(data)
                if cuttable and passed > self._after_bytes and self._take_cut():
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):  # the other direction ends as well, and closes its end
            sink.shutdown(socket.SHUT_RDWR)

    def _take_cut(self) -> bool:
        with self._lock:
            self._cuts_left -= 1
            return self._cuts_left >= 0


class SilentServer:
    """Accepts connections and never says anything."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
