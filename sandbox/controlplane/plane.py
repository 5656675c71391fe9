"""etcd, the API server and the controller manager of one cluster, on loopback, for as long as somebody wants them."""

from __future__ import annotations

import fcntl
import http.client
import os
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sandbox.controlplane.binaries import Binaries, find_binaries, knows_flag
from sandbox.controlplane.errors import ControlPlaneError
from sandbox.controlplane.kubeconfig import write_kubeconfig
from sandbox.controlplane.pki import Pki
from sandbox.controlplane.ports import LOOPBACK, choose_free_port, describe_listener, is_free
from sandbox.controlplane.tokens import TokenFile
from sandbox.daemon import Daemon, DaemonError

LEAN_CONTROLLERS = (
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
# Sockets of these names in the working directory of etcd and of the API server: no port to race for, no TLS to set up.
_ETCD = "unix://localhost:2379"
_ETCD_PEER = "unix://localhost:2380"
_READY_SECONDS = 60
_PORT_ATTEMPTS = 5


class ControlPlane:
    """A Kubernetes control plane of any version from 1.20 on; a context manager.

    `directory` holds logs, sockets and the administrator's kubeconfig. `etcd_data` (default `directory`/etcd) and `pki`
    (default `directory`/pki: CA, keys, token users) make the cluster's identity: started again with the same two, it is
    the same cluster. `controllers` are names for `kube-controller-manager --controllers`; None runs no controller
    manager. `api_port` None means a free port, kept over restarts of this object while it stays free. `api_flags` are
    added to, or replace, flags of the API server (without dashes). `server_names` are further names and addresses of
    the serving certificate. `durable` False lets etcd skip fsync: quicker, and safe against killed processes, but not
    against a crash of the whole machine.
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
            raise ControlPlaneError(f"control plane in {self.directory}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what runs: clients before servers, each waited for; harmless when nothing runs."""
        while self._daemons:
            self._daemons[-1].stop()
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
        if self._fixed_port is not None and not is_free(self._fixed_port):
            raise ControlPlaneError(
                f"port {self._fixed_port} of {LOOPBACK} is taken by {describe_listener(self._fixed_port)}; "
                "stop that program or choose another port for the API server"
            )
        self._pki.ensure(self._server_names)
        self._tokens.ensure(ADMIN, ADMIN_GROUPS)
        self._launch(self._etcd())
        self._start_api_server()
        self.write_kubeconfig(self.admin_kubeconfig, ADMIN, ADMIN_GROUPS)
        if self._controllers is not None:
            self._start_controller_manager(self._controllers)

    def _take_lock(self) -> None:
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ControlPlaneError(
                f"another process runs the control plane in {self.directory}; stop it or choose another folder"
            ) from None

    def _launch(self, daemon: Daemon) -> Daemon:
        daemon.start()
        self._daemons.append(daemon)
        return daemon

    def _start_api_server(self) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            if self._port is None or (self._fixed_port is None and not is_free(self._port)):
                self._port = choose_free_port()
            port = self._port
            daemon = self._launch(self._api_server(port))
            probe = Probe(port, self._pki)
            try:
                daemon.wait_until(lambda probe=probe: probe.answers("/readyz"), timeout_seconds=_READY_SECONDS)  # type: ignore[misc]
                return
            except DaemonError:
                self._daemons[0].raise_if_dead()
                if attempt == _PORT_ATTEMPTS or "address already in use" not in daemon.tail():
                    raise
                self._daemons.remove(daemon)
                if self._fixed_port is None:
                    self._port = None

    def _start_controller_manager(self, controllers: Sequence[str]) -> None:
        kubeconfig = self.directory / "controller-manager.kubeconfig"
        self.write_kubeconfig(kubeconfig, "system:kube-controller-manager", ("system:masters",))
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = choose_free_port()
            daemon = self._launch(self._controller_manager(port, kubeconfig, controllers))
            probe = Probe(port, self._pki)
            try:
                daemon.wait_until(lambda probe=probe: probe.answers("/healthz"), timeout_seconds=_READY_SECONDS)  # type: ignore[misc]
                return
            except DaemonError:
                if attempt == _PORT_ATTEMPTS or "address already in use" not in daemon.tail():
                    raise
                self._daemons.remove(daemon)

    def _etcd(self) -> Daemon:
        flags = {
            "name": "default",
            "data-dir": str(self.etcd_data),
            "listen-client-urls": _ETCD,
            "advertise-client-urls": _ETCD,
            "listen-peer-urls": _ETCD_PEER,
            "initial-advertise-peer-urls": _ETCD_PEER,
            "initial-cluster": f"default={_ETCD_PEER}",
        }
        if not self._durable:
            flags["unsafe-no-fsync"] = "true"
        self.etcd_data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._daemon("etcd", self.binaries.etcd, flags)

    def _api_server(self, port: int) -> Daemon:
        pki = self._pki
        flags = {
            "etcd-servers": _ETCD,
            "bind-address": LOOPBACK,
            "advertise-address": LOOPBACK,
            "secure-port": str(port),
            "client-ca-file": str(pki.ca_certificate),
            "tls-cert-file": str(pki.serving_certificate),
            "tls-private-key-file": str(pki.serving_key),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(pki.service_account_public_key),
            "service-account-signing-key-file": str(pki.service_account_key),
            "token-auth-file": str(self._tokens.path),
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.0.0.0/24",
            "endpoint-reconciler-type": "none",
            "allow-privileged": "true",
            "disable-admission-plugins": "ServiceAccount",
            "profiling": "false",
        }
        return self._daemon("kube-apiserver", self.binaries.api_server, flags | self._api_flags)

    def _controller_manager(self, port: int, kubeconfig: Path, controllers: Sequence[str]) -> Daemon:
        program = self.binaries.controller_manager
        assert program is not None
        flags = {
            "kubeconfig": str(kubeconfig),
            "authentication-kubeconfig": str(kubeconfig),
            "authorization-kubeconfig": str(kubeconfig),
            "bind-address": LOOPBACK,
            "secure-port": str(port),
            "tls-cert-file": str(self._pki.serving_certificate),
            "tls-private-key-file": str(self._pki.serving_key),
            "client-ca-file": str(self._pki.ca_certificate),
            "controllers": ",".join(controllers),
            "service-account-private-key-file": str(self._pki.service_account_key),
            "root-ca-file": str(self._pki.ca_certificate),
            "leader-elect": "false",
            "profiling": "false",
        }
        if knows_flag(program, "port"):
            flags["port"] = "0"  # old versions open a fixed port besides, without TLS
        return self._daemon("kube-controller-manager", program, flags)

    def _daemon(self, name: str, program: Path, flags: Mapping[str, str]) -> Daemon:
        argv = [str(program), *(f"--{flag}={value}" for flag, value in flags.items())]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory)}
        environment["TMPDIR"] = tempfile.gettempdir()
        return Daemon(name, argv, log=self.directory / "logs" / f"{name}.log", cwd=self.directory, env=environment)


class Probe:
    """Asks a server of this control plane, with verified TLS and as an administrator, whether it is well."""

    def __init__(self, port: int, pki: Pki) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(pki.ca_certificate))
        certificate, key = pki.issue_client(ADMIN, ADMIN_GROUPS)
        with tempfile.NamedTemporaryFile(
            dir=pki.folder
        ) as both:  # 0600; the ssl module reads certificates from files only
            both.write(certificate + key)
            both.flush()
            self._context.load_cert_chain(both.name)

    def answers(self, path: str) -> bool:
        """Whether GET `path` is answered with 200."""
        connection = http.client.HTTPSConnection(LOOPBACK, self._port, timeout=5, context=self._context)
        try:
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", path)
                return connection.getresponse().status == http.client.OK
        finally:
            connection.close()
        return False
