"""`lca operator`: the controllers of the single-node cluster in one process (ibu-api.md 10)."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.ibu.kind import IBU
from agent.ibu.network_policies import ensure_policies, find_owner, log_policies, make_policies
from agent.ibu.restoring import ensure_resource
from agent.kube import Client, Event, Kind, Object, RetryPolicy, errors
from agent.pivot.saved import SavedResource
from agent.runtime.access import AccessGuard
from agent.runtime.http_server import BindAddress, HttpServer, Response
from agent.runtime.leader import LeaderElection
from agent.runtime.logs import TIME_FORMATS
from agent.runtime.metrics import Metrics
from agent.runtime.probes import make_probe_server
from agent.runtime.process import Part, StopRequest, run_parts, stop_on_signals
from agent.runtime.serving_tls import ServingCertificate, TlsProfile
from agent.runtime.settings import ProcessSettings, SettingsError, load_settings, setting
from agent.runtime.watch import Watch
from hostops.bootid import read_boot_id
from hostops.files import make_directory
from hostops.hostroot import HostRoot

if TYPE_CHECKING:
    from agent.runtime.worker import Worker

log = logging.getLogger(__name__)

LEASE_NAME = "lca.openshift.io"
_APISERVER = Kind("config.openshift.io", "v1", "APIServer")
_STATE_DIRECTORY = "/var/lib/lca"
_METHODS = {"list": "GET", "watch": "GET", "create": "POST"}
_START_POLICY = RetryPolicy(deadline_seconds=160.0, retry_seconds=150.0)
"""The operator may start together with the API server of its node, which takes minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings(ProcessSettings):
    """Settings of `lca operator`; see `lca operator --help`."""

    precache_image: str = field(default="", metadata=setting(str, "PRECACHE_WORKLOAD_IMG"))
    recert_image: str = field(default="", metadata=setting(str, "RELATED_IMAGE_RECERT_IMAGE"))


class StartError(Exception):
    """The operator can not start; the text says what failed."""


_SWITCH: dict[str, Any] = {"is_flag": False, "flag_value": "true", "metavar": "[true|false]"}
"""As in Go programs: the flag alone, or with `=true` or `=false`."""


@click.command()
@click.option("--kubeconfig", metavar="FILE", help="Access to the cluster; default: the pod's, else $KUBECONFIG.")
@click.option("--metrics-bind-address", metavar="ADDRESS", help="Where /metrics is served; default :8080, 0 for off.")
@click.option("--metrics-tls-cert-dir", metavar="DIR", help="Folder with tls.crt and tls.key; without it plain HTTP.")
@click.option("--health-probe-bind-address", metavar="ADDRESS", help="Where /healthz and /readyz are; default :8081.")
@click.option("--leader-elect", **_SWITCH, help="Work only while holding the Lease lca.openshift.io.")
@click.option("--log-format", "--zap-encoder", metavar="text|json", help="Form of the log lines; default text.")
@click.option("--log-level", "--zap-log-level", metavar="LEVEL", help="debug, info, warning or error; default info.")
@click.option("--zap-devel", **_SWITCH, help="Defaults of the log: true for text and debug, false for json and info.")
@click.option("--zap-stacktrace-level", metavar="LEVEL", help="No tracebacks below; default debug, panic for none.")
@click.option(
    "--zap-time-encoding",
    metavar="FORM",
    help=f"How log lines show the time: {', '.join(TIME_FORMATS)}; default iso8601.",
)
def command(**flags: str | None) -> int:
    """Run the operator: watches the cluster and carries out what is asked for in ImageBasedUpgrade `upgrade`.

    Everything can be set in the environment as well: MY_POD_NAMESPACE, MY_POD_NAME, PRECACHE_WORKLOAD_IMG,
    RELATED_IMAGE_RECERT_IMAGE, and LCA_ with the name of a flag, for example LCA_LOG_LEVEL.
    """
    try:
        settings = load_settings(OperatorSettings, **flags)
    except SettingsError as error:
        raise click.UsageError(f"these settings can not be used:\n{error}") from error
    settings.configure_logging()
    request = StopRequest()
    with stop_on_signals(request):
        try:
            return run_operator(settings, request)
        except (StartError, errors.ApiError, errors.AccessError, OSError) as error:
            log.error("can not start: %s", error)
            return 1


def run_operator(settings: OperatorSettings, request: StopRequest) -> int:
    """Start everything in order, work until `request`; return the exit code. What it raises prevented the start."""
    metrics, running = Metrics(), RunningParts()
    with contextlib.ExitStack() as stack:
        serve(stack, settings.health_probe_bind_address, lambda address: make_probe_server(address, running.checks))
        client = stack.enter_context(connect(settings, metrics))
        profile = read_tls_profile(client)
        tls = load_certificate(settings.metrics_tls_cert_dir, profile)
        metrics_port = serve(
            stack, settings.metrics_bind_address, lambda address: make_metrics_server(address, client, metrics, tls)
        )
        apply_network_policies(client, settings, metrics_port)
        root = HostRoot.detect()
        make_directory(root.path(_STATE_DIRECTORY), 0o700)
        saved = SavedResource(root, boot_id=read_boot_id(root), has_left=make_leaving_check(root))
        create_upgrade(client, saved)
        # From here on imports may take their time: whoever waits for the resource has it.
        from agent.runtime.watches import Watches

        exclusive = threading.Lock()  # one controller works at a time
        worker, watches = make_upgrade_controller(client, root, settings, saved, metrics, exclusive)
        seed_worker, seed_watches = make_seed_controller(client, root, settings, metrics, exclusive)
        watching = Watches(
            client,
            [*watches, *seed_watches, watch_tls_profile(profile, request)],
            on_response=make_counter(client, metrics),
        )
        parts: list[Part] = [worker, seed_worker, watching]
        if settings.leader_elect:
            election = make_election(client, settings, request, metrics)
            if not election.acquire():
                return request.exit_code
            parts.insert(0, election)
        else:
            metrics.leader.labels(LEASE_NAME).set(1)
        running.add(parts)
        return run_parts(parts, request)


class RunningParts:
    """The liveness checks of the parts that run; there are none before the start is complete."""

    def __init__(self) -> None:
        self.checks: dict[str, Callable[[], bool]] = {}

    def add(self, parts: Sequence[Part]) -> None:
        """Check `parts` from now on."""
        self.checks.update({getattr(part, "controller", type(part).__name__): part.is_alive for part in parts})


def connect(settings: OperatorSettings, metrics: Metrics) -> Client:
    """Connect to the API server and wait until it answers; every request is counted."""
    with Client.connect(settings.kubeconfig, policy=_START_POLICY) as patient:
        patient.version()
    client = Client.connect(
        settings.kubeconfig,
        observer=lambda verb, _, status, __: count(_METHODS.get(verb, verb.upper()), status),
    )
    count = make_counter(client, metrics)
    return client


def make_counter(client: Client, metrics: Metrics) -> Callable[[str, int], None]:
    """Return what counts an answer of the API server by method and HTTP status (0: there was none)."""
    host = client.access.server.partition("://")[2]
    return lambda method, status: metrics.count_api_request(method, status or "<error>", host)


def apply_network_policies(client: Client, settings: OperatorSettings, metrics_port: int | None) -> None:
    """Open what the operator and its Jobs need in a namespace that denies everything."""
    owner = find_owner(client, settings.namespace, settings.pod_name)
    ensure_policies(client, make_policies(settings.namespace, metrics_port, owner))
    log_policies(client, settings.namespace)


def read_tls_profile(client: Client) -> TlsProfile:
    """Return the cluster's TLS profile; Intermediate on a cluster that has no such thing (a development cluster)."""
    return TlsProfile.of(client.find(_APISERVER, "cluster") or {})


def watch_tls_profile(profile: TlsProfile, request: StopRequest) -> Watch:
    """End the process when the profile changes: it is started again and serves the new one."""

    def handle(event: Event) -> None:
        if event.type != "DELETED" and TlsProfile.of(event.object) != profile:
            request.set("the cluster's TLS profile changed")

    return Watch(_APISERVER, handle, name="cluster")


def load_certificate(directory: Path | None, profile: TlsProfile) -> ServingCertificate | None:
    """Load the serving certificate. Raises StartError."""
    try:
        return ServingCertificate(directory, profile) if directory else None
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"serving certificate in {directory}: {error}") from error


def make_metrics_server(
    address: BindAddress, client: Client, metrics: Metrics, tls: ServingCertificate | None
) -> HttpServer:
    """Serve /metrics to those whom the API server knows and allows."""
    guard = AccessGuard(client, "/metrics", lambda _: Response(200, *metrics.render()))
    return HttpServer(address, {"/metrics": guard}, tls=tls)


def serve(
    stack: contextlib.ExitStack, address: BindAddress | None, make_server: Callable[[BindAddress], HttpServer]
) -> int | None:
    """Serve on `address`, if there is one, until `stack` is left; return the port."""
    if address is None:
        return None
    server = make_server(address)
    server.start()
    stack.callback(server.stop)
    log.info("serving", extra={"host": address.host, "port": server.port, "paths": server.paths})
    return server.port


def make_leaving_check(root: HostRoot) -> Callable[[Object, str], bool]:
    """Return how to find out, after a power loss, whether the node has been in another release since then."""

    def check(saved: Object, boot_id: str) -> bool:
        from agent.pivot.leaving import has_left  # slow to import, and rarely asked
        from hostops.runner import HostRunner
        from hostops.scopes import host_scope

        return has_left(HostRunner(host_scope()), root, saved, boot_id)

    return check


def create_upgrade(client: Client, saved: SavedResource) -> None:
    """Create or restore the custom resource; without its CRD this waits for the controller."""
    try:
        ensure_resource(client, saved, datetime.now(UTC))
    except errors.KindNotServed:
        log.warning("the CRD is not installed yet: kubectl apply -k deploy/", extra={"kind": str(IBU)})


def make_upgrade_controller(
    client: Client,
    root: HostRoot,
    settings: OperatorSettings,
    saved: SavedResource,
    metrics: Metrics,
    exclusive: threading.Lock,
) -> tuple[Worker, list[Watch]]:
    """Make the controller of ImageBasedUpgrade and name what it watches. Raises StartError."""
    from agent.ibu.controller import StorageError, make_controller, open_ports

    try:
        ports = open_ports(
            client,
            root,
            namespace=settings.namespace,
            pod_name=settings.pod_name or "",
            precache_image=settings.precache_image,
        )
    except StorageError as error:
        raise StartError(str(error)) from error
    return make_controller(ports, saved, metrics, exclusive)


def make_seed_controller(
    client: Client, root: HostRoot, settings: OperatorSettings, metrics: Metrics, exclusive: threading.Lock
) -> tuple[Worker, list[Watch]]:
    """Make the controller of SeedGenerator and name what it watches."""
    from agent.seedgen.controller import make_controller

    def find_failure(client: Client) -> str | None:
        from agent.ibu.health.survey import find_health_failure

        return find_health_failure(client)

    return make_controller(
        client,
        root,
        metrics,
        exclusive,
        namespace=settings.namespace,
        pod_name=settings.pod_name or "",
        recert_image=settings.recert_image,
        skip_recert=os.environ.get("SEEDGEN_SKIP_RECERT") == "TRUE",
        find_health_failure=find_failure,
    )


def make_election(client: Client, settings: OperatorSettings, request: StopRequest, metrics: Metrics) -> LeaderElection:
    """Take part in the election as this pod."""
    return LeaderElection(
        client,
        LEASE_NAME,
        settings.namespace,
        f"{settings.pod_name or socket.gethostname()}_{uuid.uuid4()}",
        request,
        on_change=metrics.leader.labels(LEASE_NAME).set,
    )
