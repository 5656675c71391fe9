from __future__ import annotations

from typing import Any

import pytest

from agent.kube import Kind
from sandbox.velero.catalog import Catalog, ResourceType
from sandbox.velero.filters import BackupFilter, RestoreFilter, check_lists, check_scoped_lists


def make_type(plural: str, *, group: str = "", namespaced: bool = True, short: str = "") -> ResourceType:
    return ResourceType(Kind(group, "v1", plural.capitalize()), plural, plural.rstrip("s"), (short,), namespaced)


PODS = make_type("pods", short="po")
CLAIMS = make_type("persistentvolumeclaims", short="pvc")
DEPLOYMENTS = make_type("deployments", group="apps")
VOLUMES = make_type("persistentvolumes", namespaced=False, short="pv")
LOGICAL_VOLUMES = make_type("logicalvolumes", group="topolvm.io", namespaced=False)
NAMESPACES = make_type("namespaces", namespaced=False, short="ns")
ALL = (PODS, CLAIMS, DEPLOYMENTS, VOLUMES, LOGICAL_VOLUMES, NAMESPACES)
CATALOG = Catalog(ALL)


def covered(spec: dict[str, Any]) -> set[str]:
    chosen = BackupFilter(spec, CATALOG)
    return {type_.name for type_ in ALL if chosen.covers(type_)}


NAMESPACED = {"pods", "persistentvolumeclaims", "deployments.apps"}
EVERYTHING = {type_.name for type_ in ALL}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, EVERYTHING),
        ({"includedNamespaces": ["*"]}, EVERYTHING),
        ({"includedNamespaces": ["a"]}, {*NAMESPACED, "namespaces"}),
        ({"excludedNamespaces": ["a"]}, {*NAMESPACED, "namespaces"}),
        ({"includedNamespaces": ["a"], "includeClusterResources": True}, EVERYTHING),
        ({"includeClusterResources": False}, {*NAMESPACED, "namespaces"}),
        ({"includedResources": ["PO", "deployments.apps"]}, {"pods", "deployments.apps"}),
        ({"includedResources": ["deployment"], "excludedResources": ["*"]}, set()),
        ({"includedResources": ["nobody-knows"]}, set()),
        ({"excludedResources": ["pv", "pods"]}, EVERYTHING - {"pods", "persistentvolumes"}),
        ({"includedClusterScopedResources": ["pv"]}, {*NAMESPACED, "persistentvolumes", "namespaces"}),
        ({"includedClusterScopedResources": ["*"]}, EVERYTHING),
        ({"includedNamespaceScopedResources": ["pvc"]}, {"persistentvolumeclaims", "namespaces"}),
        ({"includedNamespaceScopedResources": ["*"]}, EVERYTHING),
        ({"excludedNamespaceScopedResources": ["*"]}, {"namespaces"}),
        ({"excludedClusterScopedResources": ["ns"]}, NAMESPACED),
        ({"includedNamespaces": ["a"], "includedNamespaceScopedResources": ["pods"]}, {"pods", "namespaces"}),
    ],
)
def test_backup_filter_covers_the_types_that_velero_takes(spec: dict[str, Any], expected: set[str]) -> None:
    assert covered(spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"includedNamespaces": ["a"]}, True),
        ({"includedNamespaces": ["a"], "includedNamespaceScopedResources": ["pvc"]}, True),
        ({"includedResources": ["pvc"]}, True),
        ({"includeClusterResources": False}, False),
        ({"excludedResources": ["persistentVolumes"]}, False),
        ({"excludedClusterScopedResources": ["pv"]}, False),
    ],
)
def test_claims_volume_comes_along_unless_it_is_excluded(spec: dict[str, Any], expected: bool) -> None:
    assert BackupFilter(spec, CATALOG).tolerates(VOLUMES) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, False),
        ({}, True),
        ({"includedResources": []}, True),
        ({"includedResources": ["*"]}, True),
        ({"includedResources": ["LogicalVolume"]}, True),
        ({"includedResources": ["logicalvolumes.topolvm.io"]}, True),
        ({"includedResources": ["pods"]}, False),
        ({"excludedResources": ["logicalvolumes"]}, False),
    ],
)
def test_restore_status_covers_a_type(status: dict[str, Any] | None, expected: bool) -> None:
    spec = {} if status is None else {"restoreStatus": status}
    assert RestoreFilter(spec, CATALOG).covers_status("logicalvolumes.topolvm.io") is expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, True),
        ({"includedNamespaces": ["*"]}, True),
        ({"includedNamespaces": ["a"]}, False),
        ({"excludedNamespaces": ["a"]}, False),
        ({"includedNamespaces": ["a"], "includeClusterResources": True}, True),
        ({"includeClusterResources": False}, False),
    ],
)
def test_restore_of_chosen_namespaces_leaves_cluster_scoped_objects_out(spec: dict[str, Any], expected: bool) -> None:
    assert RestoreFilter(spec, CATALOG).covers_cluster_scoped() is expected


def test_namespaces_may_be_patterns() -> None:
    namespaces = BackupFilter({"includedNamespaces": ["app-*"], "excludedNamespaces": ["app-x"]}, CATALOG).namespaces
    assert [namespaces.covers(name) for name in ("app-1", "app-x", "other")] == [True, False, False]


@pytest.mark.parametrize(
    ("included", "excluded", "count"),
    [(None, None, 0), (["a"], ["b"], 0), (["*", "a"], [], 1), ([], ["*"], 1), (["a", "b"], ["b", "a"], 2)],
)
def test_check_lists_finds_all_contradictions(included: Any, excluded: Any, count: int) -> None:
    assert len(check_lists(included, excluded)) == count


@pytest.mark.parametrize(
    ("included", "excluded", "count"),
    [(None, ["*"], 0), (["a"], ["*"], 1), ([], ["*", "a"], 1), (["*", "a"], [], 1), (["a"], ["a"], 1)],
)
def test_check_scoped_lists_allows_to_exclude_everything(included: Any, excluded: Any, count: int) -> None:
    assert len(check_scoped_lists(included, excluded)) == count
