"""Which Secrets an application needs, and what may cross a pivot (upgrade-and-oadp.md 7.1, proposal 9)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.velero.portable import make_portable
from agent.velero.protection import list_secret_names


def make_application(*locations: Any, plugins: list[str] | None = None, **spec: Any) -> dict[str, Any]:
    configuration = {"velero": {"defaultPlugins": plugins or ["openshift"]}}
    return {"spec": {"backupLocations": list(locations), "configuration": configuration, **spec}}


def velero(provider: str = "aws", **location: Any) -> dict[str, Any]:
    return {"velero": {"provider": provider, **location}}


@pytest.mark.parametrize(
    ("application", "named", "assumed"),
    [
        (make_application(velero(credential={"name": "a", "key": "cloud"})), ["a"], []),
        (make_application(velero()), [], ["cloud-credentials"]),
        (
            make_application(velero("velero.io/gcp"), velero("azure")),
            [],
            ["cloud-credentials-gcp", "cloud-credentials-azure"],
        ),
        (make_application(velero("other")), [], []),
        (
            make_application(velero(credential={"name": "a"}), plugins=["openshift", "aws"]),
            ["a"],
            ["cloud-credentials"],
        ),
        (
            make_application(velero(credential={"name": "cloud-credentials"}), plugins=["aws"]),
            ["cloud-credentials"],
            [],
        ),
        (
            make_application({"cloudStorage": {"cloudStorageRef": {"name": "x"}, "credential": {"name": "s"}}}),
            ["s"],
            [],
        ),
        (
            make_application(velero(credential={"name": "a"}, objectStorage={"caCertRef": {"name": "ca", "key": "k"}})),
            ["a", "ca"],
            [],
        ),
        (
            make_application(velero(config={"credentialsFile": "file-secret/cloud"}, credential={"name": "a"})),
            ["a", "file-secret"],
            [],
        ),
        (make_application(snapshotLocations=[velero(credential={"name": "snap"})]), ["snap"], []),
        (make_application(velero(credential={"name": "a"}), velero(credential={"name": "a"})), ["a"], []),
        ({"spec": {}}, [], []),
        ({}, [], []),
        ({"spec": {"backupLocations": None, "snapshotLocations": None, "configuration": None}}, [], []),
    ],
    ids=[
        *("named", "default", "defaults of providers", "unknown provider", "plugin", "default named", "cloud storage"),
        *("certificate", "credentials file", "snapshots", "once", "no locations", "no spec", "nulls"),
    ],
)
def test_list_secret_names_finds_what_oadp_uses(
    application: dict[str, Any], named: list[str], assumed: list[str]
) -> None:
    assert list_secret_names(application) == (named, assumed)


def test_make_portable_drops_what_belongs_to_a_cluster() -> None:
    metadata = {
        "name": "x",
        "namespace": "ns",
        "labels": {"a": "b"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"},
        "finalizers": ["f"],
        **dict.fromkeys(("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"), "1"),
        "managedFields": [],
        "ownerReferences": [{}],
    }
    obj = {"kind": "Secret", "metadata": metadata, "data": {"k": "dg=="}, "status": {"phase": "x"}}
    kept = {"name": "x", "namespace": "ns", "labels": {"a": "b"}, "annotations": {"kept": "yes"}, "finalizers": ["f"]}
    assert make_portable(obj) == {"kind": "Secret", "metadata": kept, "data": {"k": "dg=="}}
