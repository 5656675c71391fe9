"""What a real API server and its controllers do by themselves, which the other tests and the sandbox rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.kube import Client, Kind, Object

Kubectl = Callable[..., str]
POD = Kind("", "v1", "Pod")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount")

GADGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.controlplane.test"},
    "spec": {
        "group": "controlplane.test",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "minimum": 1, "default": 7}},
                            }
                        },
                    }
                },
            }
        ],
    },
}
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "once"},
    "spec": {
        "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none", "command": ["true"]}]}
        }
    },
}


@pytest.fixture(scope="module")
def gadgets(kubectl: Kubectl) -> str:
    kubectl("apply", "-f-", stdin=GADGETS)
    kubectl("wait", "crd", GADGETS["metadata"]["name"], "--for=condition=Established", "--timeout=30s")
    return "gadgets.controlplane.test"


def make_gadget(**spec: object) -> dict[str, Any]:
    return {"apiVersion": "controlplane.test/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": spec}


def test_custom_resource_is_defaulted_and_pruned(kubectl: Kubectl, gadgets: str, namespace: str) -> None:
    made = make_gadget(unknown="x")
    kubectl("create", "-n", namespace, "--validate=false", "-f-", stdin=made)
    assert json.loads(kubectl("get", gadgets, "one", "-n", namespace, "-ojson"))["spec"] == {"size": 7}


def test_custom_resource_against_its_schema_is_refused(kubectl: Kubectl, gadgets: str, namespace: str) -> None:
    with pytest.raises(AssertionError, match=r"spec\.size.*greater than or equal to 1"):
        kubectl("create", "-n", namespace, "-f-", stdin=make_gadget(size=0))


def wait_until(
    client: Client, kind: Kind, name: str, test: Callable[[Object], object], namespace: str | None = None
) -> None:
    with client.watch(kind, namespace, name=name, timeout_seconds=30) as watch:
        if any(test(event.object) for event in watch):
            return
    pytest.fail(f"{kind.kind} {name} did not get there")


def test_job_makes_its_pod_and_takes_it_along_when_deleted(kubectl: Kubectl, client: Client, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f-", stdin=JOB)
    wait_until(client, Kind.of(JOB), "once", lambda job: job.get("status", {}).get("active") == 1, namespace)
    (pod,) = client.list(POD, namespace)
    version = pod["metadata"]["resourceVersion"]
    client.delete(Kind.of(JOB), "once", namespace)
    with client.watch(POD, namespace, resource_version=version, timeout_seconds=30) as watch:
        assert any(event.type == "DELETED" for event in watch)


def test_deleted_namespace_goes_away_with_its_content(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "short-lived")
    kubectl("create", "configmap", "inside", "-n", "short-lived")
    kubectl("delete", "namespace", "short-lived", "--timeout=60s")
    assert "short-lived" not in kubectl("get", "namespaces", "-oname")


def test_role_view_is_filled(client: Client) -> None:
    wait_until(client, Kind("rbac.authorization.k8s.io", "v1", "ClusterRole"), "view", lambda role: role["rules"])


def test_service_account_token_is_known(client: Client, namespace: str) -> None:
    wait_until(client, SERVICE_ACCOUNT, "default", lambda _: True, namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    issued = client.request("POST", path, body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": issued["status"]}
    answer = client.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body=review)
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:default"
