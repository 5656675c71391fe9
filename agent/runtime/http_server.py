"""A small HTTP/1.1 server in threads of its own: answers while a controller works."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

log = logging.getLogger(__name__)

_IDLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class BindAddress:
    """Where to listen; the empty host means all addresses of both IP versions, port 0 any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> BindAddress | None:
        """Read `:8081`, `127.0.0.1:8081` or `[::1]:8081`; `0` means not to listen at all. Raises ValueError."""
        if text == "0":
            return None
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} is no listen address; write :PORT, HOST:PORT, or 0 to switch it off")
        return cls(host.strip("[]"), int(port))

    def listen(self) -> socket.socket:
        """Open the socket; OSError names the address."""
        try:
            if self.host:
                family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
                return socket.create_server((self.host, self.port), family=family)
            if socket.has_dualstack_ipv6():
                return socket.create_server(("", self.port), family=socket.AF_INET6, dualstack_ipv6=True)
            return socket.create_server(("", self.port))
        except OSError as error:
            raise OSError(error.errno, f"can not listen on {self}: {error.strerror}") from error

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Route: TypeAlias = Callable[[Mapping[str, str]], Response]
"""Answers a GET, given the request's headers with their names in lower case."""


class HttpServer:
    """Serves GET requests on exact paths until stopped; with `tls`, HTTPS.

    The address is bound at once, so that a port in use is an error of the start (OSError) and not of the first request.
    """

    def __init__(
        self, address: BindAddress, routes: Mapping[str, Route], *, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        self._server = _Server(address.listen(), routes, tls)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name=f"http {address}", daemon=True)

    @property
    def paths(self) -> str:
        """The paths that are answered, for the log."""
        return ", ".join(self._server.routes)

    @property
    def port(self) -> int:
        """The port really bound."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the socket; running answers are not waited for."""
        self._stopping = True
        if self._thread.ident is not None:
            self._server.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
            self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        # serve_forever() would wake up twice a second just to see whether it is to stop.
        while not self._stopping:
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, listener: socket.socket, routes: Mapping[str, Route], tls: Callable[[], ssl.SSLContext] | None
    ) -> None:
        self.routes = routes
        self._tls = tls
        self.address_family = listener.family
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, peer = self.socket.accept()
        connection.settimeout(_IDLE_SECONDS)
        if self._tls is not None:
            # The handshake happens in the connection's thread, so that a silent client blocks nobody.
            connection = self._tls().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("connection broke: %r", sys.exception(), extra={"peer": str(client_address)})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            return self._send(Response(404, b"404 page not found\n"))
        try:
            response = route({name.lower(): value for name, value in self.headers.items()})
        except Exception:
            log.exception("could not answer", extra={"path": self.path})
            response = Response(500, b"Internal Server Error\n")
        return self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def version_string(self) -> str:
        return "lifecycle-agent"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        log.debug(format, *args)
