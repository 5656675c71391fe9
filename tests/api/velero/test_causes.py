"""The causes of a failure, from a store that behaves and from stores that do not (upgrade-and-oadp.md, proposal 2).

The store is a real HTTPS server; a thread plays the part of Velero that answers DownloadRequests.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.kube import Client, Object
from agent.velero.evidence import Investigation
from agent.velero.names import BACKUP, DOWNLOAD_REQUEST, OADP_NAMESPACE, SECRET, STORAGE_LOCATION
from agent.velero.notice import Notice
from sandbox.cluster.following import Stopping, follow

Put = Callable[..., Any]
SIGNATURE = "X-Amz-Signature=0123456789abcdef"
RESULTS = {"errors": {"velero": ["first"], "namespaces": {"ns": ["second"]}}, "warnings": {"cluster": ["w"]}}
LOG = 'time="t" level=info msg=start\ntime="t" level=error msg="from the log" error="no space"\n'


@dataclass
class Store:
    """What the object store holds: path -> body."""

    url: str
    certificate_pem: bytes
    files: dict[str, bytes] = field(default_factory=dict)


def make_certificate(directory: Path) -> tuple[Path, bytes]:
    """A key with a certificate that it signs itself, in one file; the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "store.pem"
    path.write_bytes(private + certificate)
    return path, certificate


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path.partition("?")[0])
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    path, certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that does not trust us breaks the handshake off."""

        def get_request(self) -> Any:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Store(f"https://127.0.0.1:{server.server_address[1]}", certificate, files)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sign(client: Client) -> Iterator[Callable[[str], None]]:
    """From now on, DownloadRequests are answered with URLs below the given one."""
    stop, threads = Stopping(), []

    def answer(base: str) -> None:
        for event in follow(client, DOWNLOAD_REQUEST, stop, OADP_NAMESPACE):
            status = event.object.get("status") or {}
            if event.type == "DELETED" or status.get("downloadURL"):
                continue
            url = f"{base}/{event.object['spec']['target']['kind']}?{SIGNATURE}"
            patch = {"status": {"phase": "Processed", "downloadURL": url}}
            client.patch_merge(DOWNLOAD_REQUEST, event.object["metadata"]["name"], patch, OADP_NAMESPACE)

    def sign(base: str) -> None:
        threads.append(threading.Thread(target=answer, args=(base,)))
        threads[0].start()

    yield sign
    stop.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def failed(put: Put, name: str) -> Callable[..., Object]:
    """A partly failed Backup in a location with these TLS settings."""

    def failed(*, ca_pem: bytes | None = None, ca_secret: str | None = None, insecure: str | None = None) -> Object:
        storage: dict[str, Any] = {"bucket": "b"}
        if ca_pem:
            storage["caCert"] = base64.b64encode(ca_pem).decode()
        if ca_secret:
            storage["caCertRef"] = {"name": ca_secret, "key": "ca.crt"}
        config = {"insecureSkipTLSVerify": insecure} if insecure else {}
        put(STORAGE_LOCATION, name, spec={"provider": "aws", "objectStorage": storage, "config": config})
        status = {"phase": "PartiallyFailed", "errors": 2}
        return put(BACKUP, name, spec={"storageLocation": name}, status=status)

    return failed


def explain(client: Client, backup: Object, directory: Path | None = None) -> str:
    """The line about a failed Backup, up to its hint; no request is left, and the notice says the same."""
    notices: list[Notice] = []
    [failure] = Investigation(client, directory, notices.append).explain([backup])
    assert [notice.reason for notice in notices] == ["BackupFailed"]
    assert failure.detail in notices[0].text
    requests = client.list(DOWNLOAD_REQUEST, OADP_NAMESPACE)
    assert [r for r in requests if r["spec"]["target"]["name"] == backup["metadata"]["name"]] == []
    return str(failure).partition("; see ")[0].partition(": ")[2]


def fill(store: Store, results: Any = RESULTS, log: str | None = LOG) -> None:
    if results is not None:
        store.files["/BackupResults"] = gzip.compress(json.dumps(results).encode())
    if log is not None:
        store.files["/BackupLog"] = gzip.compress(log.encode())


FOUND = "PartiallyFailed: 2 errors: first; namespace ns: second"
NOT_FOUND = "PartiallyFailed: 2 errors"


def test_certificate_of_the_location_is_trusted(client: Client, store: Store, sign: Any, failed: Any) -> None:
    fill(store)
    sign(store.url)
    assert explain(client, failed(ca_pem=store.certificate_pem)) == FOUND


def test_certificate_in_a_secret_is_trusted(
    client: Client, store: Store, sign: Any, failed: Any, put: Put, name: str
) -> None:
    fill(store)
    sign(store.url)
    put(SECRET, name, data={"ca.crt": base64.b64encode(store.certificate_pem).decode()})
    assert explain(client, failed(ca_secret=name)) == FOUND


def test_certificate_is_not_looked_at_where_the_location_says_so(
    client: Client, store: Store, sign: Any, failed: Any
) -> None:
    fill(store)
    sign(store.url)
    assert explain(client, failed(insecure="true")) == FOUND


@pytest.mark.parametrize("ca", ["none", "other", "damaged", "no secret"])
def test_store_that_is_not_trusted_is_not_asked_and_its_url_not_told(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store)
    sign(store.url)
    (tmp_path / "other").mkdir()
    settings = {
        "none": {},
        "other": {"ca_pem": make_certificate(tmp_path / "other")[1]},
        "damaged": {"ca_pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        "no secret": {"ca_secret": "nowhere"},
    }
    with caplog.at_level(logging.DEBUG):
        assert explain(client, failed(**settings[ca])) == NOT_FOUND
    assert "X-Amz-Signature" not in caplog.text
    assert "no BackupResults of" in caplog.text or "the CA of the storage location is no certificate" in caplog.text


def test_log_serves_where_there_are_no_results(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path
) -> None:
    fill(store, results=None)
    sign(store.url)
    backup = failed(insecure="true")
    assert explain(client, backup, tmp_path / "oadp") == "PartiallyFailed: 2 errors: from the log: no space"
    assert (tmp_path / f"oadp/backup-{backup['metadata']['name']}.log").read_text() == LOG


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: b"<html>not packed</html>",
        lambda packed: packed[:-12],
        lambda packed: gzip.compress(b"not json"),
        lambda packed: gzip.compress(b'["another form"]'),
        lambda packed: gzip.compress(b" " * (5 << 20)),
    ],
    ids=["not packed", "cut", "no json", "another form", "too large"],
)
def test_damaged_results_give_way_to_the_log(
    client: Client, store: Store, sign: Any, failed: Any, damage: Callable[[bytes], bytes]
) -> None:
    fill(store)
    sign(store.url)
    store.files["/BackupResults"] = damage(store.files["/BackupResults"])
    assert explain(client, failed(insecure="true")) == "PartiallyFailed: 2 errors: from the log: no space"


def test_large_log_is_read_to_its_end_and_saved_in_part(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path
) -> None:
    line = f"level=info msg={'x' * 200}\n"
    fill(store, results=None, log=line * 100_000 + "level=error msg=end\n")
    sign(store.url)
    backup = failed(insecure="true")
    assert explain(client, backup, tmp_path / "oadp") == "PartiallyFailed: 2 errors: end"
    saved = (tmp_path / f"oadp/backup-{backup['metadata']['name']}.log").stat().st_size
    assert 16 << 20 <= saved <= (16 << 20) + len(line)


def test_log_that_ends_too_early_tells_what_came(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path
) -> None:
    fill(store, results=None, log=LOG + "".join(f"level=info msg={number}\n" for number in range(100_000)))
    store.files["/BackupLog"] = store.files["/BackupLog"][:-5000]
    sign(store.url)
    assert (
        explain(client, failed(insecure="true"), tmp_path / "oadp")
        == "PartiallyFailed: 2 errors: from the log: no space"
    )


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1", "https://127.0.0.1:1", "https://[", ""])
def test_url_that_leads_nowhere_is_no_failure_of_its_own(client: Client, sign: Any, failed: Any, url: str) -> None:
    sign(url)
    assert explain(client, failed(insecure="true")) == NOT_FOUND


def test_store_that_never_answers_is_given_up(client: Client, sign: Any, failed: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sign(f"https://127.0.0.1:{silent.getsockname()[1]}")
        assert explain(client, failed(insecure="true")) == NOT_FOUND


def test_velero_that_never_answers_is_given_up(client: Client, failed: Any) -> None:
    assert explain(client, failed(insecure="true")) == NOT_FOUND


def test_location_that_is_gone_is_no_failure_of_its_own(client: Client, put: Put, name: str) -> None:
    backup = put(BACKUP, name, spec={"storageLocation": "gone"}, status={"phase": "Failed", "failureReason": "x"})
    assert explain(client, backup) == "Failed: x"


def test_evidence_that_can_not_be_written_is_no_failure_of_its_own(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path
) -> None:
    fill(store)
    sign(store.url)
    (tmp_path / "oadp").write_text("a file is in the way")
    assert explain(client, failed(insecure="true"), tmp_path / "oadp") == FOUND


def test_log_that_can_not_be_written_is_read_all_the_same(
    client: Client, store: Store, sign: Any, failed: Any, tmp_path: Path
) -> None:
    fill(store, results=None)
    sign(store.url)
    (tmp_path / "oadp").write_text("a file is in the way")
    found = explain(client, failed(insecure="true"), tmp_path / "oadp")
    assert found == "PartiallyFailed: 2 errors: from the log: no space"
