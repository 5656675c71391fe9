"""etcd, the API server and the controller manager of one cluster, on loopback, for as long as somebody wants them."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sandbox.controlplane.binaries import Binaries, find_binaries
from sandbox.controlplane.errors import ControlPlaneError
from sandbox.controlplane.flags import api_server_flags, controller_manager_flags, etcd_flags
from sandbox.controlplane.kubeconfig import write_kubeconfig
from sandbox.controlplane.pki import Pki
from sandbox.controlplane.ports import LOOPBACK, choose_free_port, describe_listener, is_free
from sandbox.controlplane.probe import Probe
from sandbox.controlplane.tokens import TokenFile
from sandbox.daemon import Daemon, DaemonError

LEAN_CONTROLLERS = (
    "clusterrole-aggregation",  # fills the roles admin, edit and view
    "namespace",
    "garbagecollector",
    "job",
    "serviceaccount",
    "deployment",
    "replicaset",
    "endpoint",
)
SERVER_NAMES = (
    LOOPBACK,
    "::1",
    "10.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
ADMIN, ADMIN_GROUPS = "admin", ("system:masters",)
_READY_SECONDS = 60
_PORT_ATTEMPTS = 5
# Of the live heap (Go: 100): with 44 CRDs 170 MB less in the API server, for 0.8 s more of processor time at the start.
_GARBAGE_PERCENT = "30"
_PORT_TAKEN = "address already in use"


class ControlPlane:
    """A Kubernetes control plane of any version from 1.20 on; a context manager.

    `directory` holds logs, sockets and the administrator's kubeconfig. `etcd_data` (default `directory`/etcd) and `pki`
    (default `directory`/pki: CA, keys, token users) make the cluster's identity: started again with the same two, it is
    the same cluster. `controllers` are names for `kube-controller-manager --controllers`; None runs no controller
    manager. `api_port` None means a free port, kept over restarts of this object while it stays free. `api_flags` are
    added to, or replace, flags of the API server (without dashes), `environment` likewise for all programs.
    `server_names` are further names and addresses of the serving certificate. `durable` False lets etcd skip fsync:
    quicker, and safe against killed processes, but not against a crash of the whole machine.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binaries: Binaries | None = None,
        etcd_data: Path | None = None,
        pki: Path | None = None,
        api_port: int | None = None,
        controllers: Sequence[str] | None = LEAN_CONTROLLERS,
        api_flags: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        server_names: Sequence[str] = (),
        durable: bool = False,
    ) -> None:
        self.directory = directory.absolute()
        self.binaries = binaries or find_binaries()
        self.etcd_data = (etcd_data or self.directory / "etcd").absolute()
        self._pki = Pki((pki or self.directory / "pki").absolute())
        self._tokens = TokenFile(self._pki.folder / "tokens.csv")
        self._fixed_port, self._port = api_port, api_port
        self._controllers = controllers
        self._api_flags = dict(api_flags or {})
        self._environment = dict(environment or {})
        self._server_names = (*SERVER_NAMES, *server_names)
        self._durable = durable
        self._daemons: list[Daemon] = []
        self._lock: IO[str] | None = None
        if controllers is not None and self.binaries.controller_manager is None:
            raise ControlPlaneError(
                f"no kube-controller-manager beside {self.binaries.api_server}; "
                "unset KUBEBUILDER_ASSETS and run `make setup`, or add the program there"
            )

    @property
    def server(self) -> str:
        """The URL of the API server; known after the first start."""
        if self._port is None:
            raise ControlPlaneError(f"the control plane in {self.directory} has no address yet; start it first")
        return f"https://{LOOPBACK}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The CA (PEM) that signs the serving certificate and the client certificates."""
        return self._pki.ca_certificate

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig of a member of system:masters, known by a client certificate; rewritten at each start."""
        return self.directory / "kubeconfig"

    @property
    def pids(self) -> dict[str, int]:
        """Program name -> process id of what runs."""
        return {daemon.name: daemon.pid for daemon in self._daemons if daemon.pid is not None}

    def add_token(self, user: str, groups: Sequence[str] = ()) -> str:
        """The lasting token of a user; call it before the start, which is when the API server reads the tokens."""
        if self._daemons:
            raise ControlPlaneError(f"token user {user}: the control plane runs; add token users before its start")
        return self._tokens.ensure(user, groups)

    def write_kubeconfig(
        self, path: Path, user: str, groups: Sequence[str] = (), *, client_certificate: bool = True
    ) -> None:
        """Write a kubeconfig for any user (by a new client certificate) or a user of `add_token` (by its token)."""
        if client_certificate:
            token, certificate = None, self._pki.issue_client(user, groups)
        else:
            token, certificate = self._tokens.find(user), None
            if token is None:
                raise ControlPlaneError(f"{user} has no token in {self._tokens.path}; call add_token before the start")
        write_kubeconfig(
            path,
            server=self.server,
            ca_pem=self.ca_file.read_bytes(),
            user=user,
            token=token,
            certificate=certificate,
        )

    def start(self) -> None:
        """Start and return when the API server is ready; raises ControlPlaneError with nothing left running."""
        if self._daemons:
            raise ControlPlaneError(f"the control plane in {self.directory} already runs")
        try:
            self._start()
        except (OSError, DaemonError) as error:
            self.stop()
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            advice = "; free some space there and start again" if full else ""
            raise ControlPlaneError(f"control plane in {self.directory}: {error}{advice}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self, *, grace_seconds: float = 3) -> None:
        """Stop what runs: clients before servers, each waited for; harmless when nothing runs.

        An API server waits a minute for open watches to go; after `grace_seconds` a program is killed, which loses
        nothing: all that was answered is in etcd, and etcd's files stand a kill.
        """
        while self._daemons:
            self._daemons[-1].stop(grace_seconds=grace_seconds)
            self._daemons.pop()
        if self._lock:
            self._lock.close()
            self._lock = None

    def raise_if_dead(self) -> None:
        """Raise ControlPlaneError when one of the programs has died since the start."""
        try:
            for daemon in self._daemons:
                daemon.raise_if_dead()
        except DaemonError as error:
            raise ControlPlaneError(f"control plane in {self.directory}: {error}") from error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        self._choose_api_port()
        self._pki.ensure(self._server_names)
        self._tokens.ensure(ADMIN, ADMIN_GROUPS)
        self.etcd_data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = Probe(self._pki)
        etcd = self._daemon("etcd", self.binaries.etcd, etcd_flags(self.etcd_data, durable=self._durable))
        self._launch(etcd)

        def api_server(port: int) -> Daemon:
            program = self.binaries.api_server
            flags = api_server_flags(self._pki, port, program, self._tokens.path) | self._api_flags
            return self._daemon("kube-apiserver", program, flags)

        def api_server_is_ready(port: int) -> bool:
            etcd.raise_if_dead()
            return probe.is_well(port, "/readyz")

        self._port = self._serve(api_server, self._choose_api_port, api_server_is_ready)
        self.write_kubeconfig(self.admin_kubeconfig, ADMIN, ADMIN_GROUPS)
        if self._controllers is None or (program := self.binaries.controller_manager) is None:
            return
        controllers, kubeconfig = self._controllers, self.directory / "controller-manager.kubeconfig"
        self.write_kubeconfig(kubeconfig, "system:kube-controller-manager", ADMIN_GROUPS)

        def controller_manager(port: int) -> Daemon:
            flags = controller_manager_flags(self._pki, port, program, kubeconfig, controllers)
            return self._daemon("kube-controller-manager", program, flags)

        self._serve(controller_manager, choose_free_port, lambda port: probe.is_well(port, "/healthz"))

    def _take_lock(self) -> None:
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ControlPlaneError(
                f"another process runs the control plane in {self.directory}; stop it or choose another folder"
            ) from None

    def _launch(self, daemon: Daemon) -> None:
        daemon.start()
        self._daemons.append(daemon)

    def _choose_api_port(self) -> int:
        if self._fixed_port is not None and not is_free(self._fixed_port):
            raise ControlPlaneError(
                f"port {self._fixed_port} of {LOOPBACK} is taken by {describe_listener(self._fixed_port)}; "
                "stop that program or choose another port for the API server"
            )
        kept = self._fixed_port or self._port
        return kept if kept is not None and is_free(kept) else choose_free_port()

    def _serve(
        self, server: Callable[[int], Daemon], choose_port: Callable[[], int], is_ready: Callable[[int], bool]
    ) -> int:
        """Start a server, again on another port when somebody has just taken the first; its port once it is ready."""
        for attempts_left in reversed(range(_PORT_ATTEMPTS)):
            port = choose_port()
            daemon = server(port)
            self._launch(daemon)
            try:
                daemon.wait_until(partial(is_ready, port), timeout_seconds=_READY_SECONDS)
                break
            except DaemonError:
                if daemon.pid is not None or not attempts_left or _PORT_TAKEN not in daemon.tail():
                    raise
                self._daemons.remove(daemon)
        return port

    def _daemon(self, name: str, program: Path, flags: Mapping[str, str]) -> Daemon:
        argv = [str(program), *(f"--{flag}={value}" for flag, value in flags.items())]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "GOGC": _GARBAGE_PERCENT,
            **self._environment,
        }
        return Daemon(name, argv, log=self.directory / "logs" / f"{name}.log", cwd=self.directory, env=environment)
