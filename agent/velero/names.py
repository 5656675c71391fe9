"""The kinds, labels and annotations by which backups are known (upgrade-and-oadp.md 1)."""

from __future__ import annotations

from agent.kube import Kind

OADP_NAMESPACE = "openshift-adp"

BACKUP = Kind("velero.io", "v1", "Backup")
RESTORE = Kind("velero.io", "v1", "Restore")
DELETE_REQUEST = Kind("velero.io", "v1", "DeleteBackupRequest")
DOWNLOAD_REQUEST = Kind("velero.io", "v1", "DownloadRequest")
STORAGE_LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")
DATA_PROTECTION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
SECRET = Kind("", "v1", "Secret")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
PERSISTENT_VOLUME = Kind("", "v1", "PersistentVolume")

CLUSTER_ID_LABEL = "config.openshift.io/clusterID"
ATTEMPT_ANNOTATION = "lca.openshift.io/ibu-upgrade-id"
"""On a Backup: which upgrade made it. A bucket also brings back Backups of earlier ones."""

BOOT_ANNOTATION = "lca.openshift.io/boot-id"
"""On a Backup: the boot of the node in which it was begun."""
