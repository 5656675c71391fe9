"""The kubelet's HTTPS door for the API server: `kubectl logs` comes in here.

Only the API server gets in: its client certificate must be signed by the cluster's CA and name the kubelet's client.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from sandbox.cluster.kubelet.kubelet import Kubelet
from sandbox.cluster.kubelet.logs import LogQuery, log_path, read_log
from sandbox.controlplane.pki import Pki

API_SERVER_USER = "kube-apiserver-kubelet-client"
_LOGS = re.compile(r"/containerLogs/(?P<namespace>[^/]+)/(?P<pod>[^/]+)/(?P<container>[^/]+)")
_TALKS = re.compile(r"/(exec|attach|portForward|run)/")
_IDLE_SECONDS = 60

_log = logging.getLogger(__name__)


class KubeletServer:
    """Listens from its creation on; `run` serves until `stop` is called."""

    def __init__(self, kubelet: Kubelet, pki: Pki, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.kubelet = kubelet
        self._closing = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.serving_certificate, pki.serving_key)
        context.load_verify_locations(pki.ca_certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def run(self, _stop: threading.Event) -> None:
        """Serve until `stop` is called."""
        while not self._closing:
            self._server.handle_request()
        self._server.server_close()

    def stop(self) -> None:
        """Stop listening; answers under way are cut off when the process ends."""
        self._closing = True
        self._server.socket.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    kubelet: Kubelet

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("kubelet API: connection of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        user = self._user()
        if user != API_SERVER_USER:
            self._answer(HTTPStatus.FORBIDDEN, f"only the API server is served here, not {user}")
        elif match := _LOGS.fullmatch(url.path):
            self._send_log(match["namespace"], match["pod"], match["container"], parse_qs(url.query))
        elif url.path == "/healthz":
            self._answer(HTTPStatus.OK, "ok")
        elif _TALKS.match(url.path):
            text = "a sandbox knows no exec, attach and port-forward: use `lca sandbox exec -- COMMAND` on the node"
            # the API server hands this answer on as it is, and kubectl looks for the message in a Status
            status = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": text}
            self._answer(HTTPStatus.NOT_IMPLEMENTED, json.dumps(status), "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, f"the kubelet of a sandbox does not serve {url.path}")

    do_POST = do_GET  # noqa: N815

    def _user(self) -> str:
        """Common name of the client's certificate, which TLS has verified."""
        der = cast(ssl.SSLSocket, self.connection).getpeercert(binary_form=True)
        assert der is not None, "TLS demands a client certificate"
        subject = x509.load_der_x509_certificate(der).subject
        return ", ".join(str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME))

    def _send_log(self, namespace: str, pod: str, container: str, query: dict[str, list[str]]) -> None:
        kubelet = cast(_Server, self.server).kubelet
        worker = kubelet.worker_of(namespace, pod)
        restarts = worker.restarts_of(container) if worker else None
        if worker is None or restarts is None:
            self._answer(
                HTTPStatus.NOT_FOUND, f"container {container} of pod {namespace}/{pod} is not known on this node"
            )
            return
        if query.get("previous", ["false"])[0] == "true":
            restarts -= 1
        path = log_path(kubelet.starter.logs, worker.pod, container, restarts)
        if restarts < 0 or not path.exists():
            which = "previous terminated container" if "previous" in query else "container"
            text = f'{which} "{container}" in pod "{pod}" has no log: it has not started yet'
            self._answer(HTTPStatus.BAD_REQUEST, text)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in read_log(path, parse_log_query(query), lambda: worker.is_running(container, restarts)):
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        _log.debug(format, *args)


def parse_log_query(query: dict[str, list[str]]) -> LogQuery:
    """Read the parameters of a log request; unknown ones are ignored."""

    def number(name: str) -> int | None:
        return int(query[name][0]) if name in query else None

    since = datetime.fromisoformat(query["sinceTime"][0]) if "sinceTime" in query else None
    if (seconds := number("sinceSeconds")) is not None:
        since = datetime.now(UTC) - timedelta(seconds=seconds)
    return LogQuery(
        follow=query.get("follow") == ["true"],
        timestamps=query.get("timestamps") == ["true"],
        tail_lines=number("tailLines"),
        since=since,
        limit_bytes=number("limitBytes"),
    )
