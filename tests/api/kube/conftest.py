"""The client talks to the real API server; where the network or a server has to fail, it talks to it through a gateway.

The gateway is a real HTTP server that passes requests on to the real API server. A test tells it beforehand how the
next requests go wrong: answered by the gateway itself, or the connection dropped before or after the API server did
its work. Nothing of the client is replaced.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from agent.kube import Client, Kind, Object, RetryPolicy
from sandbox.controlplane import ControlPlane

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
Fault = Callable[["Handler"], None]


class Gateway(ThreadingHTTPServer):
    """Passes everything on to `upstream`, except that the next requests meet `faults`, one fault each."""

    daemon_threads = True

    def __init__(self, upstream: str, ca_file: str) -> None:
        self.upstream = upstream
        self.pool = urllib3.PoolManager(ca_certs=ca_file, retries=False, maxsize=10)
        self.faults: deque[Fault] = deque()
        self.requests: list[str] = []
        self.queries: list[str] = []
        self.ending = threading.Event()
        self.connections: list[socket.socket] = []
        self.answers: list[urllib3.BaseHTTPResponse] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, status: int, body: object = None, **headers: str) -> None:
        """Let the next request be answered by the gateway."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(lambda handler: handler.reply(status, names, json.dumps(body).encode()))

    def server_error(self) -> None:
        """Let the next request fail in the gateway, as behind a load balancer that lost its server."""
        self.answer(502)

    def answer_lines(self, *lines: object) -> None:
        """Let the next request be answered with JSON lines, as a watch is; then the connection ends."""
        self.answer_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def answer_bytes(self, body: bytes) -> None:
        """Let the next request be answered with anything."""
        self.faults.append(lambda handler: handler.reply(200, {}, body))

    def pass_next(self) -> None:
        """Let the next request through, before the faults that follow."""
        self.faults.append(lambda handler: handler.pass_on())

    def hold(self) -> None:
        """Let the next request wait for an answer that never comes."""
        self.faults.append(lambda handler: handler.rfile.read(1) and None)

    def drip(self, every_seconds: float) -> None:
        """Let the answer to the next request come byte by byte, without an end."""

        def fault(handler: Handler) -> None:
            handler.begin_chunks()
            while not self.ending.wait(every_seconds):
                handler.send_chunk(b" ")

        self.faults.append(fault)

    def cut_short(self) -> None:
        """Let the answer to the next request end in the middle."""

        def fault(handler: Handler) -> None:
            handler.begin_chunks()
            handler.send_chunk(b'{"gitVersion": ')
            handler.hang_up()

        self.faults.append(fault)

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.requests) >= count)

    def drop_before(self) -> None:
        """Let the next request be lost on its way to the API server."""
        self.faults.append(lambda handler: handler.hang_up())

    def drop_after(self) -> None:
        """Let the answer to the next request be lost on its way back."""

        def fault(handler: Handler) -> None:
            with handler.ask_upstream() as response:
                response.read()
            handler.hang_up()

        self.faults.append(fault)

    def cut(self) -> None:
        """Break all connections to clients, and end what the API server still sends for them."""
        while self.connections:
            _shut(self.connections.pop())
        while self.answers:
            with suppress(RuntimeError, ValueError, OSError):  # it has ended by itself
                self.answers.pop().shutdown()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.server.requests.append(f"{self.command} {path}")
        self.server.queries.append(query)
        if self.server.faults:
            self.server.faults.popleft()(self)
        else:
            self.pass_on()

    def ask_upstream(self) -> urllib3.BaseHTTPResponse:
        names = ("Authorization", "Content-Type", "Accept")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        answer = self.server.pool.request(
            self.command, self.server.upstream + self.path, headers=headers, body=self.body, preload_content=False
        )
        self.server.answers.append(answer)
        return answer

    def pass_on(self) -> None:
        with self.ask_upstream() as response:
            self.begin_chunks(response.status)
            for part in response.stream(65536):
                self.send_chunk(part)
            self.send_chunk(b"")

    def begin_chunks(self, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        """Say nothing."""


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="session")
def admin_token(client: Client) -> str:
    """The token of a service account that may do everything."""
    subject = {"kind": "ServiceAccount", "name": "admin", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "test-admin"}, "roleRef": role, "subjects": [subject]}
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "admin", "namespace": "default"}})
    client.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", **binding})
    path = "/api/v1/namespaces/default/serviceaccounts/admin/token"
    token: str = client.request("POST", path, body={"spec": {"expirationSeconds": 3600}})["status"]["token"]
    return token


@pytest.fixture
def gateway(control_plane: ControlPlane) -> Iterator[Gateway]:
    """A gateway in front of the API server."""
    with Gateway(control_plane.server, str(control_plane.ca_file)) as gateway:
        thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield gateway
        gateway.ending.set()
        gateway.shutdown()
        thread.join()
        gateway.cut()
        gateway.pool.clear()


@pytest.fixture
def through_gateway(gateway: Gateway, admin_token: str, namespace: str) -> Iterator[Client]:
    """A client behind the gateway that knows ConfigMaps already; faults and requests count from here."""
    with Client.remote(gateway.url, admin_token, None, policy=RetryPolicy(retry_seconds=2, deadline_seconds=10)) as c:
        c.resource(Kind("", "v1", "ConfigMap"))
        gateway.requests.clear()
        yield c


@pytest.fixture
def box(client: Client, namespace: str) -> Iterator[Kind]:
    """A kind of a CRD of its own: `spec.size` is an integer from 1 on, `status.full` a boolean of the subresource."""
    kind = Kind(f"{namespace}.example.com", "v1", "Box")
    client.create(box_crd(kind))
    wait_until(lambda: client.serves(kind))
    yield kind
    if client.find(CRD, f"boxes.{kind.group}"):
        client.delete(CRD, f"boxes.{kind.group}")


def box_crd(kind: Kind, scope: str = "Namespaced") -> Object:
    """The CRD of the fixture `box`."""
    size = {"type": "integer", "minimum": 1}
    properties = {
        "spec": {"type": "object", "properties": {"size": size, "color": {"type": "string", "enum": ["red", "blue"]}}},
        "status": {"type": "object", "properties": {"full": {"type": "boolean"}}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    names = {"plural": "boxes", "singular": "box", "kind": "Box", "listKind": "BoxList"}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": f"boxes.{kind.group}"},
        "spec": {"group": kind.group, "scope": scope, "names": names, "versions": [version]},
    }


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that the API server does in its own time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
