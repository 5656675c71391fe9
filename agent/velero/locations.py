"""Storage locations: which one a Backup uses, whether it can be reached, how its server is verified."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass

from agent.kube import Client, Object, errors
from agent.velero.names import OADP_NAMESPACE, SECRET, STORAGE_LOCATION
from agent.velero.progress import read_phase, read_status

_DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Locations:
    """The storage locations of one look, by name."""

    by_name: dict[str, Object]

    @classmethod
    def read(cls, client: Client) -> Locations:
        """Ask the API server; without Velero there are none. Raises ApiError."""
        try:
            locations = client.list(STORAGE_LOCATION, OADP_NAMESPACE)
        except errors.KindNotServed:
            locations = []
        return cls({location["metadata"]["name"]: location for location in locations})

    def name_of(self, backup: Object) -> str:
        """Return the name of the location that the Backup names, or that Velero would choose for it."""
        named = (backup.get("spec") or {}).get("storageLocation")
        marked = (name for name, location in self.by_name.items() if location["spec"].get("default"))
        return str(named or next(marked, _DEFAULT_NAME))

    def find_obstacle(self, backup: Object) -> str | None:
        """Return why Velero would refuse to work on the Backup now although it may work later, or None.

        What a location that does not exist means, Velero says itself.
        """
        name = self.name_of(backup)
        location = self.by_name.get(name)
        if location is None or read_phase(location) == "Available":
            return None
        reason = read_status(location).get("message")
        return f"backupStorageLocation {name} not available" + (f": {reason}" if reason else "")


def make_tls_context(client: Client, location: Object) -> ssl.SSLContext:
    """Verify the location's server as Velero does: by its own CA besides the system's, or not at all.

    Raises ApiError, and ValueError for a CA that is no certificate.
    """
    context = ssl.create_default_context()
    storage = location["spec"].get("objectStorage") or {}
    if str((location["spec"].get("config") or {}).get("insecureSkipTLSVerify", "")).lower() == "true":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    encoded = storage.get("caCert") or _read_referenced(client, storage.get("caCertRef"))
    if encoded:
        try:
            context.load_verify_locations(cadata=base64.b64decode(encoded).decode("ascii", "ignore"))
        except ssl.SSLError as error:
            raise ValueError(f"the CA of the storage location is no certificate: {error}") from error
    return context


def _read_referenced(client: Client, reference: Object | None) -> str:
    if not reference:
        return ""
    secret = client.find(SECRET, reference.get("name", ""), OADP_NAMESPACE) or {}
    return str((secret.get("data") or {}).get(reference.get("key", ""), ""))
