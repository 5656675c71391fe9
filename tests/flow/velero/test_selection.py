"""What a Backup takes and what a Restore brings back."""

from __future__ import annotations

from typing import Any

import pytest

from agent.kube import Kind

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
NAMESPACE = Kind("", "v1", "Namespace")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole")


def test_backup_filters_choose_types_by_any_of_their_names(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace], includedResources=["CM", "Secret"])
    assert velero.archived(namespace) == {f"configmaps/{namespace}/settings", f"secrets/{namespace}/password"}


def test_backup_takes_the_namespace_and_its_objects(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace], excludedResources=["secrets"])
    taken = velero.archived(namespace)
    assert {f"configmaps/{namespace}/settings", f"namespaces/{namespace}"} <= taken
    assert not any(name.startswith(("secrets/", "clusterroles")) for name in taken)


@pytest.mark.parametrize(
    "selector",
    [
        {"labelSelector": {"matchLabels": {"app": "web"}}},
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}},
        {"orLabelSelectors": [{"matchLabels": {"app": "db"}}, {"matchLabels": {"app": "web"}}]},
    ],
    ids=["labels", "expressions", "or"],
)
def test_backup_label_selectors_choose_objects_and_their_namespace(velero: Any, namespace: str, selector: Any) -> None:
    velero.backup(namespace, includedNamespaces=[namespace], **selector)
    assert velero.archived(namespace) == {f"configmaps/{namespace}/settings", f"namespaces/{namespace}"}


def test_backup_scoped_filters_take_named_cluster_scoped_types(velero: Any, namespace: str) -> None:
    api = "rbac.authorization.k8s.io/v1"
    velero.put("ClusterRole", namespace, api=api, rules=[], labels={"app": "web"})
    velero.backup(
        namespace,
        includedNamespaces=[namespace],
        includedNamespaceScopedResources=["configmaps"],
        includedClusterScopedResources=["clusterRoles.rbac.authorization.k8s.io"],
        labelSelector={"matchLabels": {"app": "web"}},
    )
    expected = {f"configmaps/{namespace}/settings", f"clusterroles.rbac.authorization.k8s.io/{namespace}"}
    assert velero.archived(namespace) == {*expected, f"namespaces/{namespace}"}


def test_backup_leaves_out_what_is_labelled_so(velero: Any, namespace: str) -> None:
    velero.put("ConfigMap", "private", namespace, labels={"velero.io/exclude-from-backup": "true"})
    velero.backup(namespace, includedNamespaces=[namespace])
    assert f"configmaps/{namespace}/private" not in velero.archived(namespace)


def test_backup_of_custom_objects_takes_their_definition(velero: Any, namespace: str) -> None:
    cluster = {"storage": {"deviceClasses": [{"name": "vg1"}]}}
    velero.put("LVMCluster", "lvm", namespace, api="lvm.topolvm.io/v1alpha1", spec=cluster)
    velero.backup(
        namespace, includedNamespaces=[namespace], includedResources=["lvmclusters", "customresourcedefinitions"]
    )
    assert "customresourcedefinitions.apiextensions.k8s.io/lvmclusters.lvm.topolvm.io" in velero.archived(namespace)


def test_restore_filters_bring_back_only_what_they_name(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.delete(NAMESPACE, namespace)
    velero.restore(namespace, includedResources=["secrets"], labelSelector={"matchLabels": {}})
    assert velero.client.find(SECRET, "password", namespace)
    assert velero.client.find(CONFIG_MAP, "settings", namespace) is None


def test_restore_label_selector_brings_back_only_what_it_matches(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.delete(NAMESPACE, namespace)
    velero.restore(namespace, orLabelSelectors=[{"matchLabels": {"app": "web"}}])
    assert velero.client.find(CONFIG_MAP, "settings", namespace)
    assert velero.client.find(SECRET, "password", namespace) is None


@pytest.mark.parametrize(("setting", "comes_back"), [(None, True), (True, True), (False, False)])
def test_restore_of_cluster_scoped_objects(velero: Any, namespace: str, setting: bool | None, comes_back: bool) -> None:
    velero.put("ClusterRole", namespace, api="rbac.authorization.k8s.io/v1", rules=[], labels={"run": namespace})
    selector = {"matchLabels": {"run": namespace}}
    velero.backup(namespace, includedClusterScopedResources=["clusterroles"], labelSelector=selector)
    velero.delete(CLUSTER_ROLE, namespace)
    velero.restore(namespace, **({} if setting is None else {"includeClusterResources": setting}))
    assert bool(velero.client.find(CLUSTER_ROLE, namespace)) is comes_back


def test_restore_into_another_namespace_leaves_the_first_alone(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace], includedResources=["configmaps", "namespaces"])
    velero.restore(namespace, namespaceMapping={namespace: f"{namespace}-copy"})
    copy = velero.client.get(CONFIG_MAP, "settings", f"{namespace}-copy")
    assert copy["data"] == {"colour": "green"}
    assert velero.client.get(NAMESPACE, f"{namespace}-copy")["metadata"]["labels"]["team"] == "blue"
