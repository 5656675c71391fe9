"""The kinds and labels that Velero and OADP work with."""

from __future__ import annotations

import hashlib

from agent.kube import Kind

BACKUP = Kind("velero.io", "v1", "Backup")
RESTORE = Kind("velero.io", "v1", "Restore")
DELETE_BACKUP_REQUEST = Kind("velero.io", "v1", "DeleteBackupRequest")
DOWNLOAD_REQUEST = Kind("velero.io", "v1", "DownloadRequest")
SERVER_STATUS_REQUEST = Kind("velero.io", "v1", "ServerStatusRequest")
STORAGE_LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")
DATA_PROTECTION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")

SECRET = Kind("", "v1", "Secret")
NAMESPACE = Kind("", "v1", "Namespace")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

_LABEL_CHARACTERS = 63

BACKUP_LABEL = "velero.io/backup-name"
BACKUP_UID_LABEL = "velero.io/backup-uid"
RESTORE_LABEL = "velero.io/restore-name"
LOCATION_LABEL = "velero.io/storage-location"
EXCLUDE_LABEL = "velero.io/exclude-from-backup"


def label_value(name: str) -> str:
    """The name as a label's value: names longer than 63 characters end in a hash of the whole."""
    if len(name) <= _LABEL_CHARACTERS:
        return name
    return name[: _LABEL_CHARACTERS - 6] + hashlib.sha256(name.encode()).hexdigest()[:6]
