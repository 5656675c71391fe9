"""A backup, its files, and the way back into the cluster."""

from __future__ import annotations

import gzip
import json
from typing import Any

from agent.kube import Kind

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount")


def results(velero: Any, restore: str) -> Any:
    return json.loads(gzip.decompress(velero.read(f"restores/{restore}/restore-{restore}-results.gz")))


def change_colour(velero: Any, namespace: str, colour: str) -> None:
    velero.client.patch_merge(CONFIG_MAP, "settings", {"data": {"colour": colour}}, namespace)


def test_namespace_backed_up_deleted_and_restored_has_its_content(velero: Any, namespace: str) -> None:
    backup = velero.backup(namespace, includedNamespaces=[namespace])
    assert backup["phase"] == "Completed", backup
    velero.delete(NAMESPACE, namespace)
    restore = velero.restore(namespace)
    assert restore["phase"] == "Completed", restore
    settings = velero.client.get(CONFIG_MAP, "settings", namespace)
    assert settings["data"] == {"colour": "green"}
    assert settings["metadata"]["labels"] == {
        "app": "web",
        "velero.io/backup-name": namespace,
        "velero.io/restore-name": namespace,
    }
    assert velero.client.get(NAMESPACE, namespace)["metadata"]["labels"]["team"] == "blue"


def test_backup_status_has_the_fields_of_velero(velero: Any, namespace: str) -> None:
    status = velero.backup(namespace, includedNamespaces=[namespace], includedResources=["configmaps"], ttl="1h")
    assert status["progress"] == {"totalItems": 1, "itemsBackedUp": 1}
    assert (status["formatVersion"], status["version"]) == ("1.1.0", 1)
    assert status["startTimestamp"] <= status["completionTimestamp"] < status["expiration"]
    live = velero.get("Backup", namespace)
    assert live["spec"]["storageLocation"] == "dpa-1"
    assert live["metadata"]["labels"] == {"velero.io/storage-location": "dpa-1"}


def test_store_holds_veleros_layout(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.restore(namespace)
    files = {key.removeprefix(f"backups/{namespace}/{namespace}") for key in velero.keys(f"backups/{namespace}/")}
    assert {".tar.gz", "-logs.gz", "-results.gz", "-resource-list.json.gz", "-podvolumebackups.json.gz"} <= files
    saved = json.loads(velero.read(f"backups/{namespace}/velero-backup.json"))
    assert (saved["kind"], saved["status"]["phase"]) == ("Backup", "Completed")
    restored = {key.removeprefix(f"restores/{namespace}/") for key in velero.keys(f"restores/{namespace}/")}
    assert {f"restore-{namespace}-logs.gz", f"restore-{namespace}-results.gz"} <= restored


def test_restore_over_equal_objects_skips_them_without_a_word(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    status = velero.restore(namespace)
    assert (status["phase"], status.get("warnings", 0)) == ("Completed", 0)
    assert results(velero, namespace) == {"errors": {}, "warnings": {}}


def test_restore_over_a_changed_object_keeps_it_and_warns(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    change_colour(velero, namespace, "red")
    status = velero.restore(namespace)
    assert (status["phase"], status["warnings"]) == ("Completed", 1)
    warning = results(velero, namespace)["warnings"]["namespaces"][namespace][0]
    assert warning.startswith('could not restore, ConfigMap "settings" already exists. Warning: the in-cluster version')
    assert velero.client.get(CONFIG_MAP, "settings", namespace)["data"] == {"colour": "red"}


def test_restore_with_policy_update_overwrites_a_changed_object(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.client.patch_merge(CONFIG_MAP, "settings", {"data": {"colour": "red", "extra": "x"}}, namespace)
    velero.restore(namespace, existingResourcePolicy="update")
    settings = velero.client.get(CONFIG_MAP, "settings", namespace)
    assert settings["data"] == {"colour": "green"}
    assert settings["metadata"]["labels"]["velero.io/restore-name"] == namespace


def test_restore_of_an_object_the_server_refuses_fails_partially(velero: Any, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    velero.put("PersistentVolumeClaim", "big", namespace, spec=claim)
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.delete(NAMESPACE, namespace)
    velero.put("Namespace", namespace)
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    velero.put("LimitRange", "small", namespace, spec={"limits": [limit]})
    status = velero.restore(namespace)
    assert (status["phase"], status["errors"]) == ("PartiallyFailed", 1)
    message = results(velero, namespace)["errors"]["namespaces"][namespace][0]
    assert message.startswith(f"error restoring persistentvolumeclaims/{namespace}/big: ")
    assert "maximum storage usage" in message
    assert velero.client.find(CONFIG_MAP, "settings", namespace)


def test_restore_of_services_and_pods_drops_what_the_old_cluster_gave(velero: Any, namespace: str) -> None:
    service = {"ports": [{"port": 80}], "type": "NodePort"}
    given = velero.put("Service", "web", namespace, spec=service)["spec"]["clusterIP"]
    velero.put("Service", "headless", namespace, spec={"ports": [{"port": 80}], "clusterIP": "None"})
    velero.backup(namespace, includedNamespaces=[namespace], includedResources=["services"])
    velero.restore(namespace, namespaceMapping={namespace: f"{namespace}-2"})
    services = {
        item["metadata"]["name"]: item["spec"]
        for item in velero.client.list(Kind("", "v1", "Service"), f"{namespace}-2")
    }
    assert services["web"]["clusterIP"] != given
    assert services["headless"]["clusterIP"] == "None"


def test_restore_adds_secrets_to_an_existing_service_account(velero: Any, namespace: str) -> None:
    velero.put("ServiceAccount", "robot", namespace, imagePullSecrets=[{"name": "pull"}])
    velero.backup(namespace, includedNamespaces=[namespace], includedResources=["serviceaccounts"])
    velero.client.patch_merge(SERVICE_ACCOUNT, "robot", {"imagePullSecrets": [{"name": "other"}]}, namespace)
    assert velero.restore(namespace).get("warnings", 0) == 0
    secrets = velero.client.get(SERVICE_ACCOUNT, "robot", namespace)["imagePullSecrets"]
    assert secrets == [{"name": "other"}, {"name": "pull"}]
