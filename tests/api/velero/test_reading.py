"""Backups and Restores read from ConfigMaps (upgrade-and-oadp.md 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent.kube import Client, errors
from agent.velero.names import CONFIG_MAP, OADP_NAMESPACE
from agent.velero.reading import ContentError, read_content
from crds.imagebasedupgrade import ConfigMapRef

Put = Callable[..., Any]
PREFIX = "error while getting sorted backups from configmap: "
BACKUP = """
apiVersion: velero.io/v1
kind: Backup
metadata: {name: NAME, namespace: openshift-adp, resourceVersion: "1", uid: u, labels: {kept: "yes"}}
spec: {includedNamespaces: ["on", "off"], unknownField: {a: 1}}
status: {phase: Completed}
"""
RESTORE = """
apiVersion: velero.io/v1
kind: Restore
metadata: {name: NAME, namespace: openshift-adp}
spec: {backupName: NAME}
"""


def refer(*names: str) -> list[ConfigMapRef]:
    return [ConfigMapRef(name=name, namespace=OADP_NAMESPACE) for name in names]


def test_content_of_all_config_maps_is_read_once_and_cleaned(client: Client, put: Put, name: str) -> None:
    first, second = BACKUP.replace("NAME", "b1"), RESTORE.replace("NAME", "r1")
    old = "apiVersion: velero.io/v1alpha1\nkind: Backup\nmetadata: {name: old}"
    other = f"{old}\n---\n# nothing\n---\nkind: X\napiVersion: v1"
    put(CONFIG_MAP, f"{name}-1", data={"a": f"{first}---\n{second}", "b": other})
    put(CONFIG_MAP, f"{name}-2", data={"json": '{"apiVersion":"velero.io/v1","kind":"Backup","metadata":'
                                       '{"name":"b2","namespace":"openshift-adp"}}'})  # fmt: skip
    content = read_content(client, refer(f"{name}-1", f"{name}-2", f"{name}-1"))
    assert [backup["metadata"]["name"] for backup in content.backups] == ["b1", "b2"]
    assert [restore["metadata"]["name"] for restore in content.restores] == ["r1"]
    assert content.backups[0] == {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "b1", "namespace": "openshift-adp", "labels": {"kept": "yes"}},
        "spec": {"includedNamespaces": ["on", "off"], "unknownField": {"a": 1}},
    }


def test_missing_config_map_is_told_in_the_documented_words(client: Client, name: str) -> None:
    with pytest.raises(ContentError) as caught:
        read_content(client, refer(name))
    told = f'OADP configmap not found, error: failed to get configMap configmaps "{name}" not found. Please create the '
    assert str(caught.value) == f"{PREFIX}{told}configmap."
    assert caught.value.problems == (f"{told}configmap.",)


def test_all_flaws_are_told_together(client: Client, put: Put, name: str) -> None:
    lost = BACKUP.replace("NAME", "lost").replace("openshift-adp", "default")
    late = RESTORE.replace("metadata: {", 'metadata: {annotations: {lca.openshift.io/apply-wave: "soon"}, ')
    put(CONFIG_MAP, name, data={"a": f"{lost}---\n{late}---\na: b: c\n"})
    with pytest.raises(ContentError) as caught:
        read_content(client, refer(name, "nowhere"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "failed to decode file", "OADP configmap not found, error", "Backup lost", "Restore NAME"
    ]  # fmt: skip


def test_secrets_in_content_are_not_repeated(client: Client, put: Put, name: str) -> None:
    put(CONFIG_MAP, name, data={"a": "apiVersion: v1\nstringData: {password: s3cr3t}\n"})
    with pytest.raises(ContentError) as caught:
        read_content(client, refer(name))
    assert "s3cr3t" not in str(caught.value)


def test_server_that_does_not_answer_is_no_flaw_of_the_content(nowhere: Client) -> None:
    with pytest.raises(errors.NotConnected):
        read_content(nowhere, refer("x"))
