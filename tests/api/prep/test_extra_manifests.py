"""Extra manifests in numbers and forms that nobody wishes for (prep.md 4.4)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agent.ibu.prep.extra_manifests import STATE_FILE, Unfinished, check_extra_manifests
from agent.ibu.prep.findings import Findings
from agent.kube import Client, Kind
from hostops.hostroot import HostRoot
from tests.api.prep.conftest import MakeContext

PutConfigMap = Callable[..., list[dict[str, str]]]

CONFIG_MAP = Kind("", "v1", "ConfigMap")
ALLOWED = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n"
REFUSED = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}, labels: {{a: 'not a label'}}}}\n"
LARGE = REFUSED + f"data: {{{{a: {'x' * 700}}}}}\n"
MEBIBYTE = 1024**2


def write_manifests(document: str, count: int) -> str:
    return "".join(document.format(number=number) for number in range(count))


def check_in_goes(make_context: MakeContext, references: object, seconds: float) -> tuple[Findings, list[Unfinished]]:
    """Check as successive passes do; return the findings, and how the passes before the last one ended."""
    goes = []
    while isinstance(found := check_extra_manifests(make_context(extraManifests=references), seconds), Unfinished):
        goes.append(found)
    return found, goes


def test_ten_thousand_manifests_are_tried_in_many_short_goes(
    make_context: MakeContext, put_config_map: PutConfigMap, root: HostRoot, client: Client
) -> None:
    references = put_config_map("many", {"m.yaml": write_manifests(ALLOWED, 10_000)})
    findings, goes = check_in_goes(make_context, references, seconds=2.0)
    assert (findings.problems, findings.warnings) == ([], [])
    assert [go.tried for go in goes] == sorted({go.tried for go in goes})
    assert {go.total for go in goes} == {10_000}
    assert not root.path(STATE_FILE).exists()
    assert client.find(CONFIG_MAP, "c1", "default") is None


def test_mebibyte_of_refused_manifests_ends_in_bounded_warnings(
    make_context: MakeContext, put_config_map: PutConfigMap
) -> None:
    count = (MEBIBYTE - 4096) // len(LARGE.format(number=9999))
    references = put_config_map("refused", {"m.yaml": write_manifests(LARGE, count)})
    findings, _ = check_in_goes(make_context, references, seconds=5.0)
    assert findings.problems == []
    assert sum(map(len, findings.warnings)) < 70_000
    assert findings.warnings[0].startswith("ConfigMap[c0] - dryrun failed in namespace : failed to create manifest")
    assert findings.warnings[-1] == f"and {count - len(findings.warnings) + 1} more"


def test_trial_that_was_interrupted_goes_on_with_what_was_found(
    make_context: MakeContext, put_config_map: PutConfigMap, root: HostRoot
) -> None:
    text = write_manifests(REFUSED, 1) + write_manifests(ALLOWED, 199).replace("name: c", "name: d")
    references = put_config_map("some", {"m.yaml": text})
    first = check_extra_manifests(make_context(extraManifests=references), seconds=0)
    assert first == Unfinished(64, 200)
    assert json.loads(root.path(STATE_FILE).read_text())["tried"] == 64
    findings, goes = check_in_goes(make_context, references, seconds=0)
    assert [go.tried for go in goes] == [128, 192]
    (warning,) = findings.warnings
    assert warning.startswith("ConfigMap[c0] - dryrun failed")


def test_trial_starts_over_when_a_config_map_has_changed(
    make_context: MakeContext, put_config_map: PutConfigMap
) -> None:
    references = put_config_map("some", {"m.yaml": write_manifests(REFUSED, 100)})
    assert check_extra_manifests(make_context(extraManifests=references), seconds=0) == Unfinished(64, 100)
    put_config_map("some", {"m.yaml": write_manifests(ALLOWED, 100)})
    findings, goes = check_in_goes(make_context, references, seconds=0)
    assert goes == [Unfinished(64, 100)]
    assert findings.warnings == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"source": 1}', "\0"])
def test_trial_with_a_damaged_state_starts_over(
    make_context: MakeContext, put_config_map: PutConfigMap, root: HostRoot, content: str
) -> None:
    references = put_config_map("some", {"m.yaml": write_manifests(ALLOWED, 100)})
    root.path(STATE_FILE).write_text(content)
    assert check_extra_manifests(make_context(extraManifests=references), seconds=0) == Unfinished(64, 100)


def test_binary_values_are_named_in_a_warning(make_context: MakeContext, put_config_map: PutConfigMap) -> None:
    references = put_config_map("binary", {}, binaryData={"b.yaml": "/v8=", "a.yaml": "YQ=="})
    findings, _ = check_in_goes(make_context, references, seconds=5.0)
    text = "binary values in the configMap binary are not read, manifests are text: a.yaml, b.yaml"
    assert (findings.problems, findings.warnings) == ([], [text])


@pytest.mark.parametrize(
    "document",
    [
        "metadata: {name: x, namespace: {a: 1}}",
        "metadata: {name: x, annotations: [1]}",
        "metadata: {name: x, annotations: {lca.openshift.io/apply-type: [1]}}",
    ],
)
def test_wrong_types_in_metadata_name_the_object(
    make_context: MakeContext, put_config_map: PutConfigMap, document: str
) -> None:
    references = put_config_map("wrong", {"m.yaml": f"apiVersion: v1\nkind: ConfigMap\n{document}"})
    findings, _ = check_in_goes(make_context, references, seconds=5.0)
    (problem,) = findings.problems
    assert "ConfigMap[x]" in problem or "ConfigMap called x" in problem


@pytest.mark.parametrize(
    "document",
    [
        "metadata: {name: x, labels: [1]}",
        "metadata: {name: x, annotations: {a: 4.16}}",
        "metadata: {name: x, finalizers: x}",
        "metadata: {name: x, name2: y}\ndata: [1, 2]",
        "metadata: {name: x}\ndata: {a: {b: c}}",
        "metadata: {name: UPPER}",
        "metadata: {name: x/y}",
    ],
)
def test_wrong_types_that_the_server_refuses_are_warnings(
    make_context: MakeContext, put_config_map: PutConfigMap, document: str
) -> None:
    references = put_config_map("wrong", {"m.yaml": f"apiVersion: v1\nkind: ConfigMap\n{document}"})
    findings, _ = check_in_goes(make_context, references, seconds=5.0)
    assert findings.problems == []
    assert len(findings.warnings) == 1


@pytest.mark.parametrize(
    "field", ["stringData: {a: 5, password: s3cr3t}", "data: {a: s3cr3t!, b: c3I=}", "data: s3cr3t"]
)
def test_refused_secret_does_not_tell_its_content(
    make_context: MakeContext, put_config_map: PutConfigMap, field: str
) -> None:
    text = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\n{field}\n"
    findings, _ = check_in_goes(make_context, put_config_map("secret", {"m.yaml": text}), seconds=5.0)
    (warning,) = findings.warnings
    assert warning.startswith("Secret[x] - dryrun failed in namespace : failed to create manifest Secret called x: ")
    assert "s3cr3t" not in warning


@pytest.mark.parametrize("name", [".", "..", "a/b", "a?b", "a%2e", "UPPER", "a b", "x" * 300])
def test_reference_to_an_impossible_config_map_is_a_problem(
    make_context: MakeContext, namespace: str, name: str
) -> None:
    findings, _ = check_in_goes(make_context, [{"name": name, "namespace": namespace}], seconds=5.0)
    (problem,) = findings.problems
    assert "failed to get configMap " in problem


@pytest.mark.parametrize("namespace", [".", "..", "a/b"])
def test_reference_to_an_impossible_namespace_is_a_problem(make_context: MakeContext, namespace: str) -> None:
    findings, _ = check_in_goes(make_context, [{"name": "x", "namespace": namespace}], seconds=5.0)
    (problem,) = findings.problems
    assert "failed to get configMap " in problem
