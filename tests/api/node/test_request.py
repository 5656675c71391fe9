import base64
import json

import pytest

from agent.node.ending import ProgramError
from agent.node.stateroot.collect import read_request
from seeds.autorollback import AutoRollbackConfig

OPERATOR = "openshift-kube-apiserver-operator"
SOURCES = {
    "loadbalancer-serving-signer.key": (OPERATOR, "loadbalancer-serving-signer"),
    "localhost-serving-signer.key": (OPERATOR, "localhost-serving-signer"),
    "service-network-serving-signer.key": (OPERATOR, "service-network-serving-signer"),
    "ingresskey-ingress-operator.key": ("openshift-ingress-operator", "router-ca"),
}


def secret(namespace, name, **data):
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": encoded}


@pytest.fixture(scope="module")
def crypto(kubectl):
    """The signers of a cluster; each key holds the name of its file."""
    namespaces = (OPERATOR, "openshift-ingress-operator", "openshift-config")
    for name in namespaces:
        kubectl("create", "namespace", name)
    for file, (namespace, name) in SOURCES.items():
        kubectl("create", "-f", "-", stdin=secret(namespace, name, **{"tls.key": file.encode()}))
    bundle = ("-n", "openshift-config", "admin-kubeconfig-client-ca", "--from-literal=ca-bundle.crt=CA\n")
    kubectl("create", "configmap", *bundle)
    yield
    kubectl("delete", "namespace", *namespaces, "--wait=false")


@pytest.fixture
def prep(ibu, kubectl, crypto):
    """A function that gives `upgrade` a spec and annotations."""

    def change(seed, annotations=None, **spec):
        patch = {"metadata": {"annotations": annotations or {}}, "spec": {"seedImageRef": seed, **spec}}
        kubectl("patch", "ibu", "upgrade", "--type=merge", "-p", json.dumps(patch))

    return change


def test_request_holds_what_the_upgrade_asks_for(prep, client, namespace):
    prep({"image": "q/seed:1", "version": "4.16.0-rc.1"}, autoRollbackOnFailure={"initMonitorTimeoutSeconds": 60})
    request = read_request(client, namespace)
    assert (request.image, request.version, request.stateroot) == ("q/seed:1", "4.16.0-rc.1", "rhcos_4.16.0_rc.1")
    assert request.auto_rollback == AutoRollbackConfig(monitor_timeout_seconds=60)
    assert request.kubeconfig_crypto == {
        **{file: file.encode() for file in SOURCES},
        "admin-kubeconfig-client-ca.crt": b"CA\n",
    }
    assert request.pull_secret is None


def test_request_reads_the_switches_of_the_rollback(prep, client, namespace):
    annotation = "auto-rollback-on-failure.lca.openshift.io/init-monitor"
    prep({"image": "q/seed:1", "version": "4.16.1"}, {annotation: "Disabled"})
    assert not read_request(client, namespace).auto_rollback.monitor


def test_request_brings_the_pull_secret_of_the_operator_s_namespace(prep, client, namespace, kubectl):
    kubectl("create", "-f", "-", stdin=secret(namespace, "seed-pull", **{".dockerconfigjson": b'{"auths":{}}'}))
    prep({"image": "q/seed:1", "version": "4.16.1", "pullSecretRef": {"name": "seed-pull"}})
    assert read_request(client, namespace).pull_secret == b'{"auths":{}}'


def test_request_with_an_absent_pull_secret_is_refused(prep, client, namespace):
    prep({"image": "q/seed:1", "version": "4.16.1", "pullSecretRef": {"name": "none"}})
    expected = r'failed to retrieve pull-secret from secret none, err: secrets "none" not found$'
    with pytest.raises(ProgramError, match=expected):
        read_request(client, namespace)


def test_request_with_a_pull_secret_of_another_kind_is_refused(prep, client, namespace, kubectl):
    kubectl("create", "-f", "-", stdin=secret(namespace, "other", password=b"hunter2"))
    prep({"image": "q/seed:1", "version": "4.16.1", "pullSecretRef": {"name": "other"}})
    with pytest.raises(ProgramError, match=f"did not find key .dockerconfigjson in Secret other/{namespace}$"):
        read_request(client, namespace)


def test_request_without_an_image_is_refused(prep, client, namespace):
    prep({"version": "4.16.1"})
    with pytest.raises(ProgramError, match=r"spec\.seedImageRef\.image and spec\.seedImageRef\.version must be set$"):
        read_request(client, namespace)


def test_request_names_every_missing_signer(prep, client, namespace, kubectl):
    prep({"image": "q/seed:1", "version": "4.16.1"})
    saved = [secret(where, name, **{"tls.key": file.encode()}) for file, (where, name) in list(SOURCES.items())[:2]]
    for item in saved:
        kubectl("delete", "secret", "-n", OPERATOR, item["metadata"]["name"])
    expected = 'secrets "loadbalancer-serving-signer" not found; secrets "localhost-serving-signer" not found$'
    with pytest.raises(ProgramError, match=f"^failed to backup certificates: {expected}"):
        read_request(client, namespace)
    for item in saved:
        kubectl("create", "-f", "-", stdin=item)
