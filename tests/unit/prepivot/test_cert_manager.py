"""Which Secrets of cert-manager are handed over, and under which names (upgrade-and-oadp.md 9.5)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from agent.ibu.prepivot.cert_manager import compose_export, is_usable, list_secrets
from tests.unit.seeds.certificates import make_certificate


def make_secret(namespace: str, name: str, **data: str) -> dict[str, Any]:
    encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"namespace": namespace, "name": name, "uid": "u", "resourceVersion": "1", "managedFields": []}
    return {"metadata": metadata, "type": "kubernetes.io/tls", "data": encoded}


def make_tls(common_name: str) -> dict[str, str]:
    return {"tls_crt": make_certificate(common_name), "tls_key": "KEY"}


def test_secrets_are_named_once_and_in_order() -> None:
    def make(namespace: str, secret: str) -> dict[str, Any]:
        return {"metadata": {"namespace": namespace}, "spec": {"secretName": secret}}

    without = {"metadata": {"namespace": "c"}}
    certificates = [make("b", "one"), make("a", "two"), make("b", ""), make("b", "one"), without]
    assert list_secrets(certificates) == [("b", "one"), ("a", "two")]


@pytest.mark.parametrize("namespace", ["apps", "openshifter"])
def test_namespace_is_brought_along(namespace: str) -> None:
    export = compose_export([make_secret(namespace, "s", **make_tls("a.example.com"))])
    assert export.manifests[f"01_certmanager_Namespace_{namespace}.json"] == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace},
    }


@pytest.mark.parametrize("namespace", ["openshift-ingress", "kube-system", "default", "openshift"])
def test_namespace_of_the_platform_is_there_already(namespace: str) -> None:
    export = compose_export([make_secret(namespace, "s", **make_tls("a.example.com"))])
    assert export.manifests.keys() == {f"03_certmanager_Secret_s_{namespace}.json"}
    assert export.keys == {f"CN=a.example.com__{namespace}_s.key": "KEY"}


def test_secret_is_stripped_and_complete() -> None:
    secret = make_secret("apps", "s", **make_tls("a"))
    export = compose_export([secret])
    assert export.manifests["03_certmanager_Secret_s_apps.json"] == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "apps", "name": "s"},
        "type": "kubernetes.io/tls",
        "data": secret["data"],
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="empty"),
        pytest.param({"tls_key": "KEY"}, id="no-certificate"),
        pytest.param({"tls_crt": "no PEM", "tls_key": "KEY"}, id="no-pem"),
        pytest.param(make_tls(""), id="no-common-name"),
        pytest.param({"tls_crt": make_certificate("a")}, id="no-key"),
    ],
)
def test_secret_without_a_named_key_is_exported_without_one(data: dict[str, str]) -> None:
    export = compose_export([make_secret("apps", "s", **data)])
    assert "03_certmanager_Secret_s_apps.json" in export.manifests
    assert (export.keys, export.warnings) == ({}, [])


@pytest.mark.parametrize(
    ("common_name", "usable"),
    [
        ("web.example.com", True),
        ("*.apps.example.com", True),
        ("under_score", True),
        ("a/b", False),
        ("a__b", False),
        ("ends_", False),
        ("two words", False),
        ("a:b", False),
        ("x" * 101, False),
    ],
)
def test_common_name_that_no_reader_can_take_is_left_out(common_name: str, usable: bool) -> None:
    assert is_usable(common_name) is usable


def test_key_that_is_left_out_is_told() -> None:
    export = compose_export([make_secret("apps", "s", **make_tls("a/b"))])
    assert export.keys == {}
    (warning,) = export.warnings
    assert warning.startswith("Secret apps/s: its key is not kept in renewed certificates, since the common name 'a/b'")
