"""`podman run` on the node: the program runs, the image is not unpacked.

Containers that the agent starts on the host run one program of ours or of a known image. The program is started on the
node itself; paths of `--volume` are resolved to the host's. What podman keeps about a container (state, exit code, log)
is kept below `/run`, so that `podman inspect|logs|stop|rm|wait NAME` work. Other containers are podman's own business.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostops.files import read_json, write_json

STATE = Path("/run/sandbox-containers")
PODMAN = "/usr/bin/podman"
ETCD_PORT = 2379
ETCD_CLIENTS = f"http://127.0.0.1:{ETCD_PORT}"
"""Fixed by the callers; of several nodes on one machine only one at a time can have it."""

ETCD_PATIENCE_SECONDS = 300.0
_VALUE_OPTIONS = {
    *("name", "volume", "env", "entrypoint", "authfile", "net", "network", "pid", "runtime", "ulimit", "user"),
    *("label", "workdir", "hostname", "security-opt", "cgroups", "ipc", "log-driver", "tmpfs", "mount"),
}
_SHORT = {"-v": "volume", "-e": "env", "-d": "detach", "-w": "workdir", "-u": "user"}


@dataclass
class Request:
    """What `podman run` was asked for."""

    name: str = ""
    image: str = ""
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    volumes: dict[Path, Path] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)

    def locate(self, path: Path) -> Path:
        """The host's path of a path in the container."""
        for target in sorted(self.volumes, key=lambda each: -len(each.parts)):
            if path.is_relative_to(target):
                return self.volumes[target] / path.relative_to(target)
        return path


def parse_run(arguments: list[str]) -> Request:
    """Parse the words after `podman run`. Raises ValueError."""
    request, words = Request(), list(arguments)
    entrypoint: list[str] = []
    while words and words[0].startswith("-"):
        option, equals, value = words.pop(0).partition("=")
        option = _SHORT.get(option, option.removeprefix("--"))
        if option not in _VALUE_OPTIONS:
            request.flags.add(option)
            continue
        if not equals:
            if not words:
                raise ValueError(f"--{option} needs a value")
            value = words.pop(0)
        if option == "name":
            request.name = value
        elif option == "entrypoint":
            entrypoint = [value]
        elif option == "env":
            key, equals, text = value.partition("=")
            request.environment[key] = text if equals else os.environ.get(key, "")
        elif option == "volume":
            source, target, *_ = value.split(":")
            request.volumes[Path(target)] = Path(source)
    if not words:
        raise ValueError("an image is needed")
    request.image = words.pop(0)
    request.command = entrypoint + words
    request.name = request.name or f"sandbox-{os.getpid()}"
    return request


def run(arguments: list[str]) -> int:
    """`podman run`."""
    request = parse_run(arguments)
    STATE.mkdir(exist_ok=True)
    if "replace" in request.flags:
        stop(request.name)
        _forget(request.name)
    elif _state_file(request.name).exists():
        sys.stderr.write(f'Error: the container name "{request.name}" is already in use\n')
        return 125
    if request.command[:1] == ["etcd"]:
        return _start_etcd(request)
    if request.name == "recert":
        return _run_recert(request)
    return _run_program(request)


def _run_recert(request: Request) -> int:
    """recert as a process of its own: like a container it goes on when `podman run` is killed, and ends by itself."""
    volumes = {str(target): str(source) for target, source in request.volumes.items()}
    values = {"name": request.name, "image": request.image, "flags": sorted(request.flags), "volumes": volumes}
    command = [sys.executable, "-m", "sandbox.node.recert", json.dumps(values), request.environment["RECERT_CONFIG"]]
    process = _spawn(request, command)
    with _log_file(request.name).open(errors="replace") as log:
        code = process.wait()
        sys.stdout.write(log.read())
    return code if code >= 0 else 128 - code


def begin(request: Request) -> None:
    """Note the start of a container that keeps its own notes, this process."""
    _remember(request, os.getpid(), "running", 0)


def finish(request: Request, code: int) -> None:
    """Note the end of such a container."""
    if "rm" in request.flags:
        _forget(request.name)
    else:
        _remember(request, 0, "exited", code)


def _start_etcd(request: Request) -> int:
    """etcd on the port that the callers expect; wait for it while another node of this machine has it."""
    words = [str(request.locate(Path(word))) if word.startswith("/") else word for word in request.command[1:]]
    socket = "unix://localhost:2380"
    command = [f"{os.environ.get('KUBEBUILDER_ASSETS', '/usr/bin')}/etcd", *words, "--unsafe-no-fsync"]
    if not Path(command[0]).exists():
        command[0] = "/usr/bin/etcd"
    command += ["--listen-client-urls", ETCD_CLIENTS, "--advertise-client-urls", ETCD_CLIENTS]
    command += ["--listen-peer-urls", socket, "--initial-advertise-peer-urls", socket]
    command += ["--initial-cluster", f"{_option(words, '--name', 'default')}={socket}"]
    deadline = time.monotonic() + ETCD_PATIENCE_SECONDS
    while True:
        process = _spawn(request, command)
        while process.poll() is None:
            if _answers(f"{ETCD_CLIENTS}/health") and _listens(process.pid, ETCD_PORT):
                _remember(request, process.pid, "running", 0)
                sys.stdout.write(f"{request.name}\n")
                return 0
            time.sleep(0.05)
        text = _log_file(request.name).read_text(errors="replace")
        if "address already in use" not in text or time.monotonic() > deadline:
            sys.stderr.write(f"Error: etcd ended with {process.returncode}: {text[-500:]}\n")
            return 125
        time.sleep(0.5)


def _run_program(request: Request) -> int:
    if not request.command:
        sys.stderr.write(f"Error: the sandbox does not unpack images and {request.image} is run without a command\n")
        return 125
    process = _spawn(request, request.command)
    _remember(request, process.pid, "running", 0)
    if "detach" in request.flags:
        sys.stdout.write(f"{request.name}\n")
        return 0
    code = process.wait()
    code = code if code >= 0 else 128 - code
    sys.stdout.write(_log_file(request.name).read_text(errors="replace"))
    _remember(request, 0, "exited", code)
    if "rm" in request.flags:
        _forget(request.name)
    return code


def _spawn(request: Request, command: list[str]) -> subprocess.Popen[bytes]:
    with _log_file(request.name).open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=STATE,
            env={**os.environ, **request.environment},
            start_new_session=True,
        )


def stop(name: str, timeout_seconds: float = 10) -> bool:
    """Stop a container of ours; False if there is none that runs."""
    state = _read(name)
    if state is None or state["State"]["Status"] != "running":
        return False
    pid = state["State"]["Pid"]
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + timeout_seconds
        while _is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not _is_alive(pid):
            break
    if "rm" in state["Flags"]:
        _forget(name)
    else:
        state["State"].update(Status="exited", Pid=0)
        write_json(_state_file(name), state)
    return True


def main(arguments: list[str]) -> int:
    """`podman VERB ...` for the verbs about running containers."""
    verb, words = arguments[0], arguments[1:]
    if verb == "run":
        try:
            return run(words)
        except ValueError as error:
            sys.stderr.write(f"Error: {error}\n")
            return 125
    if verb == "container":
        verb, *words = words
    names = [word for word in words if not word.startswith("-") and _state_file(word).exists()]
    if not names:
        os.execv(PODMAN, ["podman", *arguments])  # noqa: S606
    if verb == "exists":
        return 0
    if verb == "inspect":
        sys.stdout.write(json.dumps([_read(name) for name in names]) + "\n")
    for name in names:
        if verb == "logs":
            sys.stdout.write(_log_file(name).read_text(errors="replace"))
        if verb in ("stop", "rm"):
            stop(name)
            sys.stdout.write(f"{name}\n")
        if verb == "rm":
            _forget(name)
        if verb == "wait":
            while (state := _read(name)) and state["State"]["Status"] == "running" and _is_alive(state["State"]["Pid"]):
                time.sleep(0.05)
            sys.stdout.write(f"{state['State']['ExitCode'] if state else 0}\n")
    return 0


def _remember(request: Request, pid: int, status: str, code: int) -> None:
    state = {
        "Name": request.name,
        "ImageName": request.image,
        "Flags": sorted(request.flags),
        "State": {"Status": status, "ExitCode": code, "Pid": pid},
    }
    write_json(_state_file(request.name), state)


def _read(name: str) -> dict[str, Any] | None:
    path = _state_file(name)
    if not path.exists():
        return None
    state: dict[str, Any] = read_json(path)
    return state


def _forget(name: str) -> None:
    _state_file(name).unlink(missing_ok=True)
    _log_file(name).unlink(missing_ok=True)


def _state_file(name: str) -> Path:
    return STATE / f"{name.replace('/', '_')}.json"


def _log_file(name: str) -> Path:
    return STATE / f"{name.replace('/', '_')}.log"


def _option(words: list[str], option: str, default: str) -> str:
    return words[words.index(option) + 1] if option in words[:-1] else default


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _listens(pid: int, port: int) -> bool:
    """Whether it is this process that has the port, and not one of another node of this machine."""
    listening = "0A"
    sockets = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *rest = line.split()
        if state == listening and int(local.rpartition(":")[2], 16) == port:
            sockets.add(f"socket:[{rest[5]}]")
    try:
        return any(str(link.readlink()) in sockets for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False  # it has ended, or closed something this instant


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
