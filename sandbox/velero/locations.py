"""BackupStorageLocations: which one a Backup means, and the way into its bucket."""

from __future__ import annotations

import base64
import configparser

from agent.kube import Client, Object
from sandbox.velero.bucket import Bucket, Place, StorageError
from sandbox.velero.names import SECRET, STORAGE_LOCATION

DEFAULT_NAME = "default"
DEFAULT_SECRET = {"name": "cloud-credentials", "key": "cloud"}
AVAILABLE, UNAVAILABLE = "Available", "Unavailable"


class Locations:
    """The storage locations of Velero's namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def list(self) -> list[Object]:
        return self._client.list(STORAGE_LOCATION, self._namespace)

    def find(self, name: str) -> Object | None:
        return self._client.find(STORAGE_LOCATION, name, self._namespace)

    def default_name(self) -> str:
        """The location of Backups that name none."""
        marked = (item["metadata"]["name"] for item in self.list() if item["spec"].get("default"))
        return next(marked, DEFAULT_NAME)

    def open(self, location: Object) -> Bucket:
        """The location's bucket. Raises StorageError when its credentials or its address are missing."""
        spec = location["spec"]
        config, storage = spec.get("config") or {}, spec["objectStorage"]
        if spec["provider"] not in ("aws", "velero.io/aws"):
            raise StorageError(f"unable to locate ObjectStore plugin named {spec['provider']}")
        if not config.get("s3Url"):
            raise StorageError("config.s3Url is missing: there is no AWS here, only the S3 server of the sandbox")
        access_key, secret_key = self._credentials(spec.get("credential") or DEFAULT_SECRET, config.get("profile"))
        return Bucket(
            Place(
                url=config["s3Url"],
                bucket=storage["bucket"],
                prefix=storage.get("prefix", ""),
                region=config.get("region", "us-east-1"),
                access_key=access_key,
                secret_key=secret_key,
            )
        )

    def _credentials(self, reference: Object, profile: str | None) -> tuple[str, str]:
        name, key = reference["name"], reference["key"]
        secret = self._client.find(SECRET, name, self._namespace)
        if secret is None or key not in (secret.get("data") or {}):
            raise StorageError(f"unable to get credentials: key {key} of secret {self._namespace}/{name} not found")
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(base64.b64decode(secret["data"][key]).decode())
            section = parser[profile or "default"]
            return section["aws_access_key_id"], section["aws_secret_access_key"]
        except (configparser.Error, KeyError, ValueError) as error:
            problem = f"unable to read credentials in key {key} of secret {self._namespace}/{name}"
            raise StorageError(f"{problem}: {type(error).__name__}, profile {profile or 'default'}") from error
