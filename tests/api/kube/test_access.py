"""Ways to an API server: kubeconfigs, the pod's service account, token and CA; and ways that lead nowhere."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.kube import Client, Kind, RetryPolicy, errors
from agent.kube.access import kubernetes_modules
from sandbox.controlplane import ControlPlane

NAMESPACE = Kind("", "v1", "Namespace")
IMPATIENT = RetryPolicy(retry_seconds=1, deadline_seconds=5)


def write_kubeconfig(path: Path, client: Client, user: dict[str, Any], **cluster: Any) -> Path:
    cluster = {"server": client.access.server, "certificate-authority": "ca.crt", **cluster}
    path.with_name("ca.crt").write_bytes(client.access.ca_pem or b"")
    document = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(path: Path, script: str) -> dict[str, Any]:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}}


@pytest.fixture
def pod(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a pod, with the files of its service account in the returned folder (no token yet)."""
    host, _, port = control_plane.server.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(kubernetes_modules.incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(kubernetes_modules.incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    (tmp_path / "ca.crt").write_bytes(control_plane.ca_file.read_bytes())
    return tmp_path


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections and that nobody else takes."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_remote_with_token_and_ca_works(client: Client, admin_token: str) -> None:
    with Client.remote(client.access.server, admin_token, client.access.ca_pem) as remote:
        assert remote.get(NAMESPACE, "default")


def test_remote_with_another_ca_is_untrusted_and_not_retried(client: Client, admin_token: str, tmp_path: Path) -> None:
    with (
        Client.remote(client.access.server, admin_token, client.access.certificate_pem) as remote,
        pytest.raises(errors.Untrusted, match=r"^the certificate of https://127.0.0.1:\d+ is not trusted: "),
    ):
        remote.version()


def test_remote_without_ca_trusts_only_the_systems(client: Client, admin_token: str) -> None:
    with Client.remote(client.access.server, admin_token, None) as remote, pytest.raises(errors.Untrusted):
        remote.version()


def test_remote_insecure_asks_for_no_certificate(client: Client, admin_token: str) -> None:
    with Client.remote(client.access.server, admin_token, None, insecure=True) as remote:
        assert remote.get(NAMESPACE, "default")


def test_remote_with_a_wrong_token_is_unauthorized(client: Client) -> None:
    with (
        Client.remote(client.access.server, "wrong-secret", client.access.ca_pem) as remote,
        pytest.raises(errors.Unauthorized) as caught,
    ):
        remote.version()
    assert "wrong-secret" not in str(caught.value)


def test_unreachable_server_is_one_clear_line_in_bounded_time(closed_port: int) -> None:
    start = time.monotonic()
    with (
        Client.remote(f"https://127.0.0.1:{closed_port}", "t", None, policy=IMPATIENT) as remote,
        pytest.raises(errors.NotConnected) as caught,
    ):
        remote.version()
    assert str(caught.value) == f"cannot connect to the API server https://127.0.0.1:{closed_port}: Connection refused"
    assert time.monotonic() - start < 3


def test_unknown_host_is_one_clear_line() -> None:
    with (
        Client.remote("https://nowhere.invalid:6443", "t", None, policy=IMPATIENT) as remote,
        pytest.raises(errors.NotConnected, match=r"^cannot connect to the API server https://nowhere.invalid:6443: "),
    ):
        remote.version()


def test_failures_inside_an_exception_handler_tell_their_own_cause(closed_port: int) -> None:
    with Client.remote(f"https://127.0.0.1:{closed_port}", "t", None, policy=IMPATIENT) as remote:
        try:
            raise RuntimeError("something else")
        except RuntimeError:
            with pytest.raises(errors.NotConnected, match="Connection refused"):
                remote.version()


def test_a_plain_http_answer_to_tls_is_told(gateway: Any) -> None:
    url = gateway.url.replace("http:", "https:")
    with (
        Client.remote(url, "t", None, policy=IMPATIENT) as remote,
        pytest.raises(errors.Transient, match="cannot connect to the API server"),
    ):
        remote.version()


def test_kubeconfig_with_a_token_file_beside_it_works(client: Client, admin_token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(admin_token + "\n")
    with Client.connect(write_kubeconfig(tmp_path / "config", client, {"tokenFile": "token"})) as other:
        assert other.get(NAMESPACE, "default")


def test_kubeconfig_by_environment_variable_may_be_several_files(
    client: Client, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{kubeconfig}")
    with Client.connect() as other:
        assert other.access.server == client.access.server


def test_kubeconfig_with_a_credential_plugin_uses_its_token(client: Client, admin_token: str, tmp_path: Path) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    user = plugin(tmp_path / "login", f"echo '{json.dumps({**credential, 'status': {'token': admin_token}})}'")
    with Client.connect(write_kubeconfig(tmp_path / "config", client, user)) as other:
        assert other.get(NAMESPACE, "default")


def test_kubeconfig_whose_plugin_fails_names_it(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_kubeconfig(tmp_path / "config", client, plugin(tmp_path / "login", "echo no network >&2; exit 3"))
    with caplog.at_level(logging.ERROR), pytest.raises(errors.AccessError) as caught:
        Client.connect(path)
    assert str(caught.value).startswith(f"kubeconfig {path}: the credential plugin '{tmp_path / 'login'}'")
    assert "process returned 3" in caplog.text


def test_kubeconfig_with_another_server_name_verifies_that_name(
    client: Client, admin_token: str, tmp_path: Path
) -> None:
    user = {"token": admin_token}
    good = write_kubeconfig(tmp_path / "good", client, user, **{"tls-server-name": "localhost"})
    with Client.connect(good) as other:
        assert other.version()
    bad = write_kubeconfig(tmp_path / "bad", client, user, **{"tls-server-name": "elsewhere.example.com"})
    with Client.connect(bad) as other, pytest.raises(errors.Untrusted, match="Hostname mismatch"):
        other.version()


def test_kubeconfig_leaves_no_private_key_in_temporary_files(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Client.connect(kubeconfig) as other:
        assert other.version()
        assert list(tmp_path.iterdir()) == []


def test_pod_reads_a_rotated_token_after_a_refusal(pod: Path, admin_token: str) -> None:
    (pod / "token").write_text("expired")
    with Client.connect() as inside:
        (pod / "token").write_text(admin_token)
        assert inside.get(NAMESPACE, "default")


def test_pod_whose_token_stays_refused_asks_for_it_only_now_and_then(pod: Path) -> None:
    (pod / "token").write_text("expired")
    codes: list[int] = []
    with Client.connect(observer=lambda verb, resource, code, seconds: codes.append(code)) as inside:
        for _ in range(3):
            with pytest.raises(errors.Unauthorized):
                inside.version()
    assert codes == [401] * 4


def test_pod_without_token_says_so(pod: Path) -> None:
    with pytest.raises(errors.AccessError, match="^service account of this pod: Service token file does not exist"):
        Client.connect()
