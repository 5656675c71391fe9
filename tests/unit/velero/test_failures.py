"""What a condition tells about failed Backups and Restores (upgrade-and-oadp.md, proposal 2)."""

from __future__ import annotations

import json

import pytest

from agent.velero.failures import (
    CHARACTERS_PER_OBJECT,
    Failure,
    describe_failure,
    join_failures,
    list_errors,
    read_log_errors,
    read_results,
)
from tests.unit.velero.objects import make_live

LOGS = "`velero backup describe b --details` and `velero backup logs b` in deployment/velero of openshift-adp"


@pytest.mark.parametrize(
    ("status", "errors", "line"),
    [
        (
            {"phase": "FailedValidation", "validationErrors": ["no location", "no ttl"]},
            [],
            "b: FailedValidation: no location; no ttl; see `oc describe backups.velero.io b -n openshift-adp`",
        ),
        ({"phase": "Failed", "failureReason": "bucket gone"}, [], f"b: Failed: bucket gone; see {LOGS}"),
        (
            {"phase": "PartiallyFailed", "errors": 2, "warnings": 1},
            ["e1", "e2"],
            f"b: PartiallyFailed: 2 errors, 1 warning: e1; e2; see {LOGS}",
        ),
        ({"phase": "PartiallyFailed", "errors": 1}, [], f"b: PartiallyFailed: 1 error; see {LOGS}"),
        ({"phase": "Failed"}, [], f"b: Failed; see {LOGS}"),
        ({"phase": "Failed", "failureReason": "same"}, ["same", "other"], f"b: Failed: same; other; see {LOGS}"),
    ],
    ids=["validation", "failed", "partially", "nothing known", "no reason", "reason is among the errors"],
)
def test_failure_names_object_phase_causes_and_where_to_look(
    status: dict[str, object], errors: list[str], line: str
) -> None:
    assert str(describe_failure(make_live(**status), errors)) == line


def test_failure_names_the_saved_report() -> None:
    failure = describe_failure(make_live("Restore", "r", phase="PartiallyFailed"), saved_as="/var/x-report.txt")
    assert failure.hint.startswith("/var/x-report.txt, `velero restore describe r --details` and `velero restore logs")


def test_failure_with_many_long_errors_is_bounded_and_keeps_its_hint() -> None:
    errors = [f"{number} " + "x\n" * 2000 for number in range(70)]
    line = str(describe_failure(make_live(phase="PartiallyFailed", errors=70), errors))
    assert len(line) <= CHARACTERS_PER_OBJECT
    assert "\n" not in line
    assert line.endswith(LOGS)


def test_list_errors_counts_those_it_does_not_show() -> None:
    assert list_errors([str(number) for number in range(8)]) == "0; 1; 2; 3; 4; and 3 more"


def test_join_failures_names_all_objects_first() -> None:
    failures = [Failure("a", "Failed: x", "here"), Failure("b", "Failed: y", "there")]
    assert join_failures("Failed backup CRs: ", failures) == (
        "Failed backup CRs: a,b\n  - a: Failed: x; see here\n  - b: Failed: y; see there"
    )


def test_join_failures_of_many_objects_fits_a_condition() -> None:
    failures = [Failure(f"backup-{number}", "x" * 5000, "here") for number in range(40)]
    text = join_failures("Failed backup CRs: ", failures)
    assert "backup-39" in text.splitlines()[0]
    assert text.endswith("\n  - and 28 more")
    assert len(text) < 32768


def test_read_results_lists_velero_cluster_then_namespaces() -> None:
    errors = {"velero": ["v"], "cluster": ["c"], "namespaces": {"ns2": ["in ns2: x"], "ns1": ["y"], "ns0": None}}
    found = read_results(json.dumps({"errors": errors, "warnings": {"velero": ["w"]}}).encode())
    assert found == ["v", "c", "namespace ns1: y", "in ns2: x"]


@pytest.mark.parametrize("content", [b"{}", b'{"errors": {}}', b'{"errors": null}', b"[]"])
def test_read_results_without_errors_is_empty(content: bytes) -> None:
    assert read_results(content) == []


@pytest.mark.parametrize("content", [b"", b"not json", b'{"errors": ["x"]}'])
def test_read_results_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        read_results(content)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('time="t" level=error msg="Error backing up item" error="pods \\"x\\" gone" name=x', ['!: pods "x" gone (x)']),
        (
            "level=error msg=Bad error=Bad resource=secrets namespace=ns name=s",
            ["Bad (secrets/ns/s)"],
        ),
        ('level=info msg="about level=error"', []),
        ("level=warning msg=w", []),
        ("nonsense", []),
    ],
    ids=["quoted", "same twice", "quoted level", "warning", "nonsense"],
)
def test_read_log_errors_takes_message_error_and_object(line: str, found: list[str]) -> None:
    assert list(read_log_errors([line])) == [text.replace("!", "Error backing up item") for text in found]
