"""Stand-in for Velero and OADP: real Backups in a real object store, without volume data.

Backups, Restores, DeleteBackupRequests, DownloadRequests, ServerStatusRequests and BackupStorageLocations go through
the phases of Velero's API; the store holds Velero's layout; a DataProtectionApplication makes storage locations.
Backups that are found in the store appear in the cluster.

Left out: volume data in any form (snapshots, file system backup, data movement; their files in the store are empty
lists), hooks, resource policies and modifiers, ordered resources, Schedules, item operations (no
`WaitingForPluginOperations`), the roles of a ServiceAccount as related items, remapping of namespaces inside
RoleBindings, preserved node ports, managed fields of restored objects, storage providers other than `aws` with an
`s3Url`, TLS settings of a location, several objects worked on at once. The pods of OADP do not exist.
"""

from sandbox.velero.definitions import crd_documents
from sandbox.velero.server import OADP_NAMESPACE, VeleroServer

__all__ = ["OADP_NAMESPACE", "VeleroServer", "crd_documents"]
