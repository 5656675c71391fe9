"""Probes and metrics over real sockets on loopback; only the reviews of the API server are played."""

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.kube import Object, errors
from agent.runtime.access import AccessGuard
from agent.runtime.http_server import BindAddress, HttpServer, Response
from agent.runtime.metrics import Metrics
from agent.runtime.probes import make_probe_server
from agent.runtime.serving_tls import ServingCertificate, TlsProfile

LOOPBACK = BindAddress("127.0.0.1", 0)


@contextmanager
def served(server: HttpServer) -> Iterator[HttpServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def get(server: HttpServer, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def test_probes_of_a_running_process_answer_ok() -> None:
    with served(make_probe_server(LOOPBACK, {"worker": lambda: True})) as server:
        assert get(server, "/healthz") == (200, "ok")
        assert get(server, "/readyz") == (200, "ok")
        assert get(server, "/other")[0] == 404


def test_healthz_with_a_dead_part_names_it() -> None:
    with served(make_probe_server(LOOPBACK, {"watches": lambda: False, "worker": lambda: True})) as server:
        assert get(server, "/healthz") == (500, "not running: watches")


def test_probes_answer_while_another_connection_is_silent() -> None:
    with served(make_probe_server(LOOPBACK, {})) as server:
        silent = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        silent.connect()
        assert get(server, "/healthz")[0] == 200
        silent.close()


def test_server_port_in_use_is_an_error_that_names_the_address() -> None:
    with served(make_probe_server(LOOPBACK, {})) as server:
        taken = BindAddress("127.0.0.1", server.port)
        with pytest.raises(OSError, match=rf"can not listen on 127.0.0.1:{server.port}: Address already in use"):
            make_probe_server(taken, {})


def test_server_failing_route_answers_500_and_goes_on() -> None:
    def fail(_: Any) -> Response:
        raise RuntimeError("broken")

    with served(HttpServer(LOOPBACK, {"/x": fail, "/y": lambda _: Response(200, b"fine")})) as server:
        assert get(server, "/x")[0] == 500
        assert get(server, "/y") == (200, "fine")


def test_metrics_text_has_the_known_names() -> None:
    metrics = Metrics()
    metrics.controller("imagebasedupgrade")
    metrics.count_api_request("GET", 200, "127.0.0.1:6443")
    metrics.leader.labels("lca.openshift.io").set(1)
    text = metrics.render()[0].decode()
    for line in (
        'controller_runtime_reconcile_total{controller="imagebasedupgrade",result="success"} 0.0',
        'controller_runtime_reconcile_errors_total{controller="imagebasedupgrade"} 0.0',
        'controller_runtime_reconcile_time_seconds_count{controller="imagebasedupgrade"} 0.0',
        'controller_runtime_active_workers{controller="imagebasedupgrade"} 0.0',
        'controller_runtime_max_concurrent_reconciles{controller="imagebasedupgrade"} 1.0',
        'workqueue_adds_total{controller="imagebasedupgrade",name="imagebasedupgrade"} 0.0',
        'workqueue_depth{controller="imagebasedupgrade",name="imagebasedupgrade"} 0.0',
        'rest_client_requests_total{code="200",host="127.0.0.1:6443",method="GET"} 1.0',
        'leader_election_master_status{name="lca.openshift.io"} 1.0',
    ):
        assert line in text.splitlines()


class Reviews:
    """Knows one token per user; alice may read."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        self.asked.append(obj["kind"])
        if self.down:
            raise errors.Unreachable("connection refused")
        if obj["kind"] == "TokenReview":
            user = obj["spec"]["token"].removeprefix("token-of-")
            return {"status": {"authenticated": user != "nobody", "user": {"username": user}}}
        return {"status": {"allowed": obj["spec"]["user"] == "alice"}}


def make_guard(reviews: Reviews, clock: Callable[[], float] = lambda: 0.0) -> AccessGuard:
    return AccessGuard(reviews, "/metrics", lambda _: Response(200, b"metrics"), clock)


@pytest.mark.parametrize(
    ("authorization", "status", "body"),
    [
        (None, 401, b"Unauthorized\n"),
        ("Basic abc", 401, b"Unauthorized\n"),
        ("Bearer token-of-nobody", 401, b"Unauthorized\n"),
        ("Bearer token-of-bob", 403, b"Authorization denied for user bob\n"),
        ("Bearer token-of-alice", 200, b"metrics"),
    ],
)
def test_guard_request_is_judged_by_token_and_permission(authorization: str | None, status: int, body: bytes) -> None:
    response = make_guard(Reviews())({"authorization": authorization} if authorization else {})
    assert (response.status, response.body) == (status, body)


def test_guard_unreachable_api_server_answers_500_and_is_asked_again() -> None:
    reviews = Reviews()
    guard, headers = make_guard(reviews), {"authorization": "Bearer token-of-alice"}
    reviews.down = True
    assert guard(headers).status == 500
    reviews.down = False
    assert guard(headers).status == 200


def test_guard_same_token_within_a_minute_is_reviewed_once() -> None:
    reviews, now = Reviews(), [0.0]
    guard = make_guard(reviews, lambda: now[0])
    for now[0] in (0.0, 30.0, 59.0, 61.0):
        guard({"authorization": "Bearer token-of-alice"})
    assert reviews.asked == ["TokenReview", "SubjectAccessReview"] * 2


def write_certificate(directory: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    now = datetime.now(UTC)
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "tls.crt").write_bytes(certificate.public_bytes(pem))
    (directory / "tls.key").write_bytes(private)


def read_certificate_name(port: int) -> str:
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    (attribute,) = x509.load_pem_x509_certificate(pem.encode()).subject
    return str(attribute.value)


def test_tls_replaced_certificate_is_served_without_restart(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    certificate = ServingCertificate(tmp_path, TlsProfile())
    with served(HttpServer(LOOPBACK, {}, tls=certificate)) as server:
        assert read_certificate_name(server.port) == "first"
        write_certificate(tmp_path, "second")
        assert read_certificate_name(server.port) == "second"


def test_tls_half_replaced_pair_keeps_the_old_certificate(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    certificate = ServingCertificate(tmp_path, TlsProfile())
    (tmp_path / "tls.key").write_text("not a key")
    with served(HttpServer(LOOPBACK, {}, tls=certificate)) as server:
        assert read_certificate_name(server.port) == "first"


def test_tls_client_that_never_speaks_blocks_nobody(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    with served(HttpServer(LOOPBACK, {}, tls=ServingCertificate(tmp_path, TlsProfile()))) as server:
        silent = http.client.HTTPConnection("127.0.0.1", server.port)
        silent.connect()
        assert read_certificate_name(server.port) == "first"
        silent.close()


@pytest.mark.parametrize(
    ("profile", "oldest"),
    [
        (None, ssl.TLSVersion.TLSv1_2),
        ({"type": "Intermediate"}, ssl.TLSVersion.TLSv1_2),
        ({"type": "Old"}, ssl.TLSVersion.TLSv1_2),
        ({"type": "Modern"}, ssl.TLSVersion.TLSv1_3),
        ({"type": "Custom", "custom": {"minTLSVersion": "VersionTLS13"}}, ssl.TLSVersion.TLSv1_3),
    ],
)
def test_tls_profile_of_the_cluster_sets_the_oldest_version(profile: Any, oldest: ssl.TLSVersion) -> None:
    assert TlsProfile.of({"spec": {"tlsSecurityProfile": profile}}).oldest is oldest


def test_server_stop_before_start_frees_the_port() -> None:
    server = make_probe_server(LOOPBACK, {})
    address = BindAddress("127.0.0.1", server.port)
    server.stop()
    with served(make_probe_server(address, {})) as again:
        assert threading.active_count() >= 2
        assert again.port == address.port
