"""Names of the objects that Velero keeps in a storage location, below the location's prefix."""

from __future__ import annotations

BACKUPS = "backups/"
FORMAT_VERSION = "1.1.0"

_BY_TARGET = {
    "BackupLog": "backups/{0}/{0}-logs.gz",
    "BackupContents": "backups/{0}/{0}.tar.gz",
    "BackupVolumeSnapshots": "backups/{0}/{0}-volumesnapshots.json.gz",
    "BackupItemOperations": "backups/{0}/{0}-itemoperations.json.gz",
    "BackupResourceList": "backups/{0}/{0}-resource-list.json.gz",
    "BackupResults": "backups/{0}/{0}-results.gz",
    "BackupVolumeInfos": "backups/{0}/{0}-volumeinfo.json.gz",
    "BackupPodVolumes": "backups/{0}/{0}-podvolumebackups.json.gz",
    "CSIBackupVolumeSnapshots": "backups/{0}/{0}-csi-volumesnapshots.json.gz",
    "CSIBackupVolumeSnapshotContents": "backups/{0}/{0}-csi-volumesnapshotcontents.json.gz",
    "RestoreLog": "restores/{0}/restore-{0}-logs.gz",
    "RestoreResults": "restores/{0}/restore-{0}-results.gz",
    "RestoreResourceList": "restores/{0}/restore-{0}-resource-list.json.gz",
    "RestoreItemOperations": "restores/{0}/restore-{0}-itemoperations.json.gz",
    "RestoreVolumeInfo": "restores/{0}/{0}-volumeinfo.json.gz",
}


def file_of(target: str, name: str) -> str:
    """Key of one file of the Backup or Restore `name`; `target` is a kind of DownloadRequest (or BackupPodVolumes)."""
    return _BY_TARGET[target].format(name)


def metadata_file(backup: str) -> str:
    """Key of the Backup object itself; a folder with this file is a backup."""
    return f"{backup_folder(backup)}velero-backup.json"


def backup_folder(backup: str) -> str:
    """Prefix of all files of a backup."""
    return f"{BACKUPS}{backup}/"


def restore_folder(restore: str) -> str:
    """Prefix of all files of a restore."""
    return f"restores/{restore}/"
