"""Process 1 of the booted node: starts and stops units as systemd would, and ends with the wanted kind of shutdown.

Clients (`systemctl`, `systemd-run`) talk to it through `/run/systemd/private`: a request is its words separated by NUL,
the answer `CODE NUL standard output NUL standard error`, sent when the job is over.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import signal
import sys

from sandbox.node.inside.manager import POWER_OFF, REBOOT, Manager
from sandbox.node.inside.requests import Answer, answer_request

SOCKET = "/run/systemd/private"
NOTIFY_SOCKET = "/run/systemd/notify"
DEFAULT_TARGET = "multi-user.target"


def main() -> int:
    """Run the node until it is shut down; the exit code is `REBOOT` or `POWER_OFF`."""
    manager = Manager()
    os.makedirs("/run/systemd", exist_ok=True)
    server = _listen(SOCKET, _socket.SOCK_STREAM)
    notify = _listen(NOTIFY_SOCKET, _socket.SOCK_DGRAM)
    notify.setsockopt(_socket.SOL_SOCKET, 16, 1)  # SO_PASSCRED
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    poll = select.poll()
    for descriptor in (server.fileno(), notify.fileno(), reader):
        poll.register(descriptor, select.POLLIN)
    manager.start(DEFAULT_TARGET, lambda: _tell_supervisor("booted"))
    while True:
        manager.reap()
        timeout = manager.run_timers()
        manager.run_jobs()
        if code := manager.is_down():
            return code
        for descriptor, _ in poll.poll(timeout):
            if descriptor == reader:
                signals = os.read(reader, 4096)
                if signal.SIGTERM in signals:
                    manager.shut_down(POWER_OFF)
                elif signal.SIGINT in signals:
                    manager.shut_down(REBOOT)
            elif descriptor == notify.fileno():
                _read_notification(manager, notify)
            else:
                _accept(manager, server)


def _listen(path: str, kind: int) -> _socket.socket:
    server = _socket.socket(_socket.AF_UNIX, kind)
    server.bind(path)
    if kind == _socket.SOCK_STREAM:
        server.listen(64)
    return server


def _read_notification(manager: Manager, notify: _socket.socket) -> None:
    data, ancillary, _, _ = notify.recvmsg(4096, _socket.CMSG_SPACE(12))
    if b"READY=1" in data.split(b"\n") and ancillary:
        manager.notified(int.from_bytes(ancillary[0][2][:4], sys.byteorder))


def _accept(manager: Manager, server: _socket.socket) -> None:
    descriptor, _ = server._accept()  # type: ignore[attr-defined]
    client = _socket.socket(fileno=descriptor)
    client.settimeout(5)
    request = b""
    with contextlib.suppress(OSError):
        while not request.endswith(b"\0\0"):
            chunk = client.recv(65536)
            if not chunk:
                break
            request += chunk

    def reply(result: Answer) -> None:
        code, output, errors = result
        with contextlib.suppress(OSError):
            client.sendall(f"{code}\0{output}\0{errors}".encode())
        client.close()

    answer_request(manager, request.decode().removesuffix("\0\0").split("\0"), reply)


def _tell_supervisor(word: str) -> None:
    descriptor = os.environ.get("SANDBOX_READY_FD")
    if descriptor:
        with contextlib.suppress(OSError):
            os.write(int(descriptor), word.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
