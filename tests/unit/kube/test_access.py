"""Access data that are wrong are told before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3

from agent.kube import Access, errors
from agent.kube.pool import build_pool

SECRET = "very-secret"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file"),
        ("", "is empty"),
        ("a: [", "cannot be read"),
        ("just text", "kubeconfig"),
        ("current-context: a\ncontexts: []\nusers: []\nclusters: []", "Expected object with name a"),
        (f"current-context: a\ncontexts: []\nusers: [{{name: a, usr: {{token: {SECRET}}}}}]", "Expected object"),
        (
            "current-context: a\nclusters: [{name: a}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
            f"users: [{{name: a, usr: {{token: {SECRET}}}}}]",
            "Expected key user",
        ),
        (
            "current-context: a\nclusters: [{name: a, cluster: {server: not-a-url}}]\n"
            "contexts: [{name: a, context: {cluster: a}}]",
            "server 'not-a-url' is not a URL",
        ),
    ],
)
def test_a_broken_kubeconfig_is_one_line_without_secrets(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.AccessError) as caught:
        Access.from_kubeconfig(path)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_access_shows_no_secrets() -> None:
    access = Access.remote("https://a.example.com", SECRET, b"ca")
    assert SECRET not in repr(access)
    assert access.authorization() == f"Bearer {SECRET}"


def test_a_broken_ca_is_told() -> None:
    with pytest.raises(errors.AccessError, match="^certificates for https://a.example.com: "):
        Access.remote("https://a.example.com", "t", b"no certificate").build_ssl_context()


@pytest.mark.parametrize(
    ("server", "proxied"), [("https://b.example.com:6443", True), ("https://a.svc", False), ("https://10.1.2.3", False)]
)
def test_the_proxy_is_used_unless_excepted(monkeypatch: pytest.MonkeyPatch, server: str, proxied: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", ".svc,10.0.0.0/8")
    pool = build_pool(Access.remote(server, "t", None))
    assert isinstance(pool, urllib3.ProxyManager) == proxied
