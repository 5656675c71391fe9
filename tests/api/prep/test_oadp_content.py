"""OADP content in forms that nobody wishes for (prep.md 4.3): every one ends in a text, none in an endless retry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.ibu.prep.oadp_check import check_oadp_content
from agent.kube import Client, Kind, errors
from sandbox.cluster.content.kinds import crd_documents
from tests.api.prep.conftest import MakeContext

PutConfigMap = Callable[..., list[dict[str, str]]]

CSV = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
OADP = "openshift-adp"
PREFIX = "failed to validate oadp configMap: "


@pytest.fixture(scope="module", autouse=True)
def oadp(client: Client, kubectl: Callable[..., str]) -> None:
    """OADP as it looks when it is installed."""
    groups = ("velero.io", "oadp.openshift.io", "operators.coreos.com", "config.openshift.io")
    crds = [crd for crd in crd_documents() if crd["spec"]["group"] in groups]
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": crds})
    names = [crd["metadata"]["name"] for crd in crds]
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *names)
    for obj in (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OADP}},
        {"apiVersion": CSV.api_version, "kind": CSV.kind, "metadata": {"name": "oadp-operator.v1", "namespace": OADP}},
        {
            "apiVersion": "oadp.openshift.io/v1alpha1",
            "kind": "DataProtectionApplication",
            "metadata": {"name": "dpa", "namespace": OADP},
        },
    ):
        try:
            client.create(obj)
        except errors.AlreadyExists:
            continue


def make_pair(name: str = "apps", backup: str = "spec: {}", restore: str = "", metadata: str = "") -> str:
    head = f"apiVersion: velero.io/v1\nkind: KIND\nmetadata: {{name: {name}, namespace: {OADP}{metadata}}}\n"
    restore = restore or f"spec: {{backupName: {name}}}"
    return f"{head}{backup}\n---\n".replace("KIND", "Backup") + f"{head}{restore}\n---\n".replace("KIND", "Restore")


def check(make_context: MakeContext, references: object) -> tuple[list[str], list[str]]:
    findings, _ = check_oadp_content(make_context(oadpContent=references))
    return findings.problems, findings.warnings


def test_thousands_of_pairs_are_checked(make_context: MakeContext, put_config_map: PutConfigMap) -> None:
    text = "".join(make_pair(f"p{number}") for number in range(1500))
    assert check(make_context, put_config_map("many", {"b.yaml": text})) == ([], [])


def test_binary_values_are_named_in_a_warning(make_context: MakeContext, put_config_map: PutConfigMap) -> None:
    references = put_config_map("binary", {"b.yaml": make_pair()}, binaryData={"c.yaml": "/v8="})
    text = "binary values in the configMap binary are not read, manifests are text: c.yaml"
    assert check(make_context, references) == ([], [text])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (make_pair(backup="spec: everything"), "Backup apps: spec is no map"),
        (make_pair(restore="spec: [1]"), "Restore apps: spec is no map"),
        (make_pair(restore="spec: {backupName: [apps]}"), "Restore apps: spec.backupName is no text"),
        (make_pair().replace("name: apps,", "name: 5,", 1), "Backup 5: metadata.name is no text"),
        (
            make_pair().replace(f"namespace: {OADP}", "namespace: {a: b}", 1),
            "Backup apps: metadata.namespace is no text",
        ),
    ],
)
def test_wrong_type_is_named_with_its_object(
    make_context: MakeContext, put_config_map: PutConfigMap, text: str, wrong: str
) -> None:
    problems, _ = check(make_context, put_config_map("wrong", {"b.yaml": text}))
    assert problems == [f"{PREFIX}failed to convert to unstructured: {wrong}"]


def test_annotations_that_are_no_map_are_named_for_both_objects(
    make_context: MakeContext, put_config_map: PutConfigMap
) -> None:
    text = make_pair(metadata=", annotations: [x]")
    problems, _ = check(make_context, put_config_map("wrong", {"b.yaml": text}))
    prefix = f"{PREFIX}failed to convert to unstructured: "
    assert problems == [f"{prefix}{kind} apps: metadata.annotations is no map" for kind in ("Backup", "Restore")]


@pytest.mark.parametrize("name", ["x?dryRun=", "x y", "../../secrets/x", "x#"])
def test_label_target_with_an_impossible_name_labels_nothing(
    make_context: MakeContext, put_config_map: PutConfigMap, client: Client, name: str
) -> None:
    (reference,) = put_config_map("x", {"a": "b"})
    target = f"v1/configmaps/{reference['namespace']}/{name}"
    text = make_pair(metadata=f', annotations: {{lca.openshift.io/apply-label: "{target}"}}')
    problems, _ = check(make_context, put_config_map("labels", {"b.yaml": text}))
    assert problems
    assert all(problem.startswith(PREFIX) for problem in problems)
    assert "labels" not in client.get(CONFIG_MAP, "x", reference["namespace"])["metadata"]
