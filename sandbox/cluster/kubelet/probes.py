"""Startup, readiness and liveness probes of one running container."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field

from agent.kube import Object
from sandbox.cluster.kubelet.runtime import Container

_LOOPBACK = "127.0.0.1"


@dataclass
class Probe:
    """One probe and how often it has succeeded or failed in a row. `due` is on the monotonic clock."""

    kind: str
    spec: Object
    due: float
    passes: int = 0
    failures: int = 0
    last_problem: str = field(default="", repr=False)

    @classmethod
    def begin(cls, kind: str, spec: Object) -> Probe:
        """The probe of a container that starts now."""
        return cls(kind, spec, time.monotonic() + spec.get("initialDelaySeconds", 0))

    @property
    def passed(self) -> bool:
        """Whether it has succeeded often enough."""
        return self.passes >= int(self.spec.get("successThreshold", 1))

    @property
    def failed(self) -> bool:
        """Whether it has failed often enough."""
        return self.failures >= int(self.spec.get("failureThreshold", 3))

    def run(self, container: Container, declared: list[Object]) -> None:
        """Ask once, and note the answer."""
        self.due = time.monotonic() + self.spec.get("periodSeconds", 10)
        self.last_problem = ask(self.spec, container, declared)
        self.passes, self.failures = (0, self.failures + 1) if self.last_problem else (self.passes + 1, 0)


def ask(spec: Object, container: Container, declared: list[Object]) -> str:
    """What is wrong according to the probe; "" if it succeeds. `declared` are the container's `ports`."""
    timeout = spec.get("timeoutSeconds", 1)
    try:
        if action := spec.get("httpGet"):
            return _ask_http(action, timeout, _port(action, declared, container))
        if action := spec.get("tcpSocket"):
            with socket.create_connection(
                (action.get("host") or _LOOPBACK, _port(action, declared, container)), timeout
            ):
                return ""
        if action := spec.get("exec"):
            return _ask_program(action["command"], timeout, container)
    except (OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
        return str(error) or type(error).__name__
    return "a sandbox has no probes of this kind: " + ", ".join(key for key in spec if isinstance(spec[key], dict))


def _ask_http(action: Object, timeout: float, port: int) -> str:
    host = action.get("host") or _LOOPBACK
    connection: http.client.HTTPConnection
    if action.get("scheme") == "HTTPS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # probes never verify
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
        connection.request("GET", action.get("path") or "/", headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"


def _ask_program(command: list[str], timeout: float, container: Container) -> str:
    pid = container.program_pid
    if pid is None:
        return "the container has not begun yet"
    argv = ["/usr/bin/nsenter", f"--target={pid}", "--mount", "--pid", "--uts", "--ipc", "--", *command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {(done.stdout + done.stderr).strip()}"


def _port(action: Object, declared: list[Object], container: Container) -> int:
    name = action["port"]
    named = {entry.get("name"): entry["containerPort"] for entry in declared}
    port = name if isinstance(name, int) else named.get(name)
    if port is None:
        raise OSError(f"the container has no port called {name}")
    return container.ports.get(port, int(port))
