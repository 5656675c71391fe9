"""Rules that Backups and Restores of the ConfigMaps keep together (prep.md 4.3, upgrade-and-oadp.md 4 and 6)."""

from typing import Any

import pytest

from agent.velero import content as rules
from agent.velero.content import NOT_PAIRED, Content, select_content

WAVE = "lca.openshift.io/apply-wave"


def make_backup(name: str = "b", annotations: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec}


def make_restore(name: str = "r", backup: str = "b", **spec: Any) -> dict[str, Any]:
    spec = {"backupName": backup, **spec}
    return {"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": name}, "spec": spec}


def make_content(*objects: dict[str, Any]) -> Content:
    return select_content(objects)


def test_select_content_ignores_other_kinds_and_versions() -> None:
    other = [{"apiVersion": "v1", "kind": "Secret"}, {"apiVersion": "velero.io/v1alpha1", "kind": "Backup"}]
    found = make_content(*other, make_backup(), make_restore())
    assert (len(found.backups), len(found.restores)) == (1, 1)


def test_select_content_strips_what_the_server_owns() -> None:
    backup = make_backup() | {"status": {"phase": "Completed"}}
    backup["metadata"] |= {"resourceVersion": "1", "uid": "u"}
    [stripped] = make_content(backup).backups
    assert "status" not in stripped
    assert set(stripped["metadata"]) == {"name", "annotations"}


def test_check_references_unknown_backup_is_named() -> None:
    texts = list(rules.check_references(make_content(make_backup(), make_restore("x", "nope"))))
    assert texts == ["The backup CR nope defined in restore CR x not found in OADP configmaps"]


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ([], NOT_PAIRED),
        ([make_backup()], NOT_PAIRED),
        ([make_backup(), make_restore()], None),
        ([make_backup(), make_restore("r1"), make_restore("r2")], NOT_PAIRED),
        (
            [make_backup("b"), make_backup("c"), make_restore("r1", "b"), make_restore("r2", "b")],
            f"{NOT_PAIRED} Not restored exactly once: b, c",
        ),
    ],
    ids=["nothing", "lone-backup", "pair", "surplus-restore", "shared-backup"],
)
def test_check_pairing_wants_one_restore_for_each_backup(objects: list[dict[str, Any]], text: str | None) -> None:
    assert rules.check_pairing(make_content(*objects)) == text


def test_check_waves_names_object_and_value() -> None:
    [text] = rules.check_waves(make_content(make_backup(annotations={WAVE: "abc"}), make_restore()))
    assert text == (
        'Backup b: annotation lca.openshift.io/apply-wave: error convert: strconv.Atoi: parsing "abc": invalid syntax'
    )


@pytest.mark.parametrize(
    ("backup", "part"),
    [
        (make_backup(labelSelector={"matchLabels": {}, "x": 1}, orLabelSelectors=[{}]), "not both"),
        (make_backup(includedResources=["a"], includedClusterScopedResources=["b"]), "spec.includedResources can not"),
    ],
)
def test_check_filters_finds_what_velero_refuses_later(backup: dict[str, Any], part: str) -> None:
    [text] = rules.check_filters(make_content(backup))
    assert part in text


def test_check_shared_targets_same_object_in_two_backups_is_reported() -> None:
    label = {"lca.openshift.io/apply-label": "v1/secrets/ns/s"}
    [text] = rules.check_shared_targets(make_content(make_backup("b", label), make_backup("c", label)))
    assert "both Backup b and Backup c" in text


def test_check_shared_targets_in_different_waves_is_fine() -> None:
    label = {"lca.openshift.io/apply-label": "v1/secrets/ns/s"}
    backups = make_backup("b", {**label, WAVE: "1"}), make_backup("c", {**label, WAVE: "2"})
    assert list(rules.check_shared_targets(make_content(*backups))) == []


@pytest.mark.parametrize(("namespace", "shown"), [(None, "empty"), ("default", "default")])
def test_check_namespaces_names_where_velero_does_not_look(namespace: str | None, shown: str) -> None:
    backup = make_backup()
    backup["metadata"] |= {"namespace": namespace} if namespace else {}
    assert list(rules.check_namespaces(make_content(backup))) == [
        f"Backup b: metadata.namespace must be openshift-adp, not {shown}"
    ]


def test_find_flaws_reports_all_kinds_of_permanent_mistakes() -> None:
    annotations = {WAVE: "99999999999999999999", "lca.openshift.io/backup-timeout": "soon"}
    labelled = {"lca.openshift.io/apply-label": "v1/x"}
    flaws = rules.find_flaws(make_content(make_backup("b", annotations), make_backup("c", labelled)))
    assert [flaw.partition(":")[0] for flaw in flaws] == [
        *("Backup b", "Backup c", "Backup b", "invalid apply-label obj in annotation value", "Backup b")
    ]
    assert "value out of range" in flaws[2]
    assert "is not a duration" in flaws[4]


def test_find_flaws_of_an_object_without_name_says_only_that() -> None:
    backup = make_backup()
    del backup["metadata"]["name"]
    assert rules.find_flaws(make_content(backup)) == ["Backup without metadata.name in OADP configmaps"]


def test_find_flaws_of_good_content_is_empty() -> None:
    pair = make_backup(annotations={WAVE: "-1"}), make_restore()
    for obj in pair:
        obj["metadata"]["namespace"] = "openshift-adp"
    assert rules.find_flaws(make_content(*pair)) == []


def test_check_apply_labels_malformed_item_is_reported() -> None:
    backup = make_backup(annotations={"lca.openshift.io/apply-label": "v1/x"})
    assert list(rules.check_apply_labels(make_content(backup))) == ["invalid apply-label obj in annotation value: v1/x"]
