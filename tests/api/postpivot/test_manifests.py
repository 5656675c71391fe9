"""Steps 18, 19, 21 and 22 of post-pivot-and-rollback.md 5."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agent.kube import Client, Kind, Object
from tests.api.postpivot.conftest import ADP, ClusterRun

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
WEBHOOK = Kind("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration")
DPA = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
MANIFESTS = "/opt/openshift/cluster-configuration/manifests"
EXTRA = "/opt/openshift/extra-manifests"


def make(name: str, namespace: str, annotations: Object | None = None, **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_manifests_are_applied_in_the_order_of_their_files(pivoted: ClusterRun, client: Client, namespace: str) -> None:
    """YAML and JSON, lists of lists of objects, several in one file; the last one that names an object wins."""
    items = [make("b", namespace, from_file="2"), make("c", namespace)]
    pivoted.write(f"{MANIFESTS}/2_list.json", json.dumps({"apiVersion": "v1", "kind": "AnyList", "items": items}))
    first = json.dumps(make("b", namespace, from_file="1"))
    pivoted.write(f"{MANIFESTS}/1_two.yaml", f"{json.dumps(make('a', namespace))}\n---\n{first}\n")
    pivoted.do("apply_cluster_manifests")
    found = {each["metadata"]["name"]: each.get("data") for each in client.list(CONFIG_MAP, namespace)}
    assert {name: found[name] for name in "abc"} == {"a": None, "b": {"from_file": "2"}, "c": None}


def test_manifest_that_merges_keeps_what_is_there(pivoted: ClusterRun, client: Client, namespace: str) -> None:
    client.create(make("a", namespace, old="1"))
    pivoted.write(f"{MANIFESTS}/a", json.dumps(make("a", namespace, {"lca.openshift.io/apply-type": "merge"}, new="2")))
    pivoted.do("apply_cluster_manifests")
    found = client.get(CONFIG_MAP, "a", namespace)
    assert found["data"] == {"old": "1", "new": "2"}
    assert "annotations" not in found["metadata"]


def test_empty_folder_is_fine_and_a_missing_one_is_not(pivoted: ClusterRun) -> None:
    assert pivoted.fail("apply_cluster_manifests").startswith("failed apply manifests: ")
    pivoted.root.path(MANIFESTS).mkdir(parents=True)
    pivoted.do("apply_cluster_manifests")


def test_further_manifests_are_applied_if_there_are_any(pivoted: ClusterRun, client: Client, namespace: str) -> None:
    pivoted.do("apply_installer_manifests")
    pivoted.write(f"{EXTRA}/a.json", json.dumps(make("extra", namespace)))
    pivoted.do("apply_installer_manifests")
    assert client.find(CONFIG_MAP, "extra", namespace)


def test_nothing_is_applied_when_a_file_can_not_be_read(pivoted: ClusterRun, client: Client, namespace: str) -> None:
    pivoted.write(f"{MANIFESTS}/1.json", json.dumps(make("a", namespace)))
    pivoted.write(f"{MANIFESTS}/2.yaml", "kind: [")
    pivoted.root.path(f"{MANIFESTS}/3").mkdir()
    pivoted.write(f"{MANIFESTS}/4.json", '{"apiVersion":"v1","kind":"List","items":[1]}')
    message = pivoted.fail("apply_cluster_manifests")
    assert message.startswith("failed apply manifests: failed to decode manifest 2.yaml: ")
    assert "failed to read manifest 3: Is a directory" in message
    assert message.endswith("failed to decode manifest 4.json: item 0 is no object")
    assert client.find(CONFIG_MAP, "a", namespace) is None


def test_manifest_of_an_unknown_kind_fails_after_a_while(pivoted: ClusterRun) -> None:
    pivoted.write(f"{MANIFESTS}/1.json", '{"apiVersion":"example.com/v1","kind":"Unknown","metadata":{"name":"x"}}')
    message = pivoted.fail("apply_cluster_manifests")
    assert message.startswith("failed apply manifests: failed to apply manifest: failed to get RESTMapping: ")
    assert 100 < pivoted.seconds <= 120


def test_manifest_that_the_server_refuses_fails_at_once(pivoted: ClusterRun, namespace: str) -> None:
    pivoted.write(f"{MANIFESTS}/1.json", json.dumps(make("Not A Name", namespace)))
    message = pivoted.fail("apply_cluster_manifests")
    prefix = "failed apply manifests: failed to apply manifest: failed to create manifest ConfigMap called Not A Name: "
    assert message.startswith(prefix)
    assert pivoted.seconds == 0


@pytest.fixture
def webhook(client: Client, namespace: str) -> Iterator[str]:
    """A webhook for ConfigMaps of the namespace that nobody serves yet."""
    name = f"not-ready-{namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    hook = {
        "name": "not-ready.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"webhook": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    client.create(
        {
            "apiVersion": WEBHOOK.api_version,
            "kind": WEBHOOK.kind,
            "metadata": {"name": name},
            "webhooks": [hook],
        }
    )
    client.patch_merge(Kind("", "v1", "Namespace"), namespace, {"metadata": {"labels": {"webhook": namespace}}})
    yield name
    if client.find(WEBHOOK, name):
        client.delete(WEBHOOK, name)


def test_webhook_that_is_not_ready_is_waited_for(
    pivoted: ClusterRun, client: Client, namespace: str, webhook: str
) -> None:
    def serve(seconds: float) -> None:
        if client.find(WEBHOOK, webhook):
            client.delete(WEBHOOK, webhook)

    pivoted.on_sleep = serve
    pivoted.write(f"{MANIFESTS}/1.json", json.dumps(make("a", namespace)))
    pivoted.do("apply_cluster_manifests")
    assert pivoted.seconds > 0
    assert client.find(CONFIG_MAP, "a", namespace)


def test_oadp_gets_its_access_to_the_bucket_back(pivoted: ClusterRun, client: Client) -> None:
    metadata = {"name": "cloud", "namespace": ADP}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "eA=="}}
    application = {
        "apiVersion": DPA.api_version,
        "kind": DPA.kind,
        "metadata": {"name": "dpa", "namespace": ADP},
        "spec": {"configuration": {}},
        "status": {"conditions": []},
    }
    pivoted.do("restore_secrets")
    pivoted.do("restore_application")
    pivoted.write("/opt/OADP/secret/cloud.yaml", json.dumps(secret))
    pivoted.write("/opt/OADP/dpa/dpa.yaml", json.dumps(application))
    pivoted.do("restore_secrets")
    pivoted.do("restore_application")
    assert client.get(SECRET, "cloud", ADP)["data"] == {"a": "eA=="}
    assert client.get(DPA, "dpa", ADP)["spec"] == {"configuration": {}}


def test_more_than_one_application_is_told(pivoted: ClusterRun) -> None:
    for name in "ab":
        pivoted.write(f"/opt/OADP/dpa/{name}.yaml", "{}")
    assert pivoted.fail("restore_application").startswith(
        "failed to restore OADP DataProtectionApplication: failed to get stored DataProtectionApplication: "
        "found more than one DataProtectionApplication yamls in "
    )
