"""The DataProtectionApplication and the Secrets it needs, carried over a pivot (upgrade-and-oadp.md 7.1, 11).

With them OADP of the new release finds the bucket again, and in it the Backups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.kube import Client, Object
from agent.kube.manifests import ApplyError, apply_manifest, decode_stream
from agent.velero.content import get_name
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE, SECRET
from agent.velero.portable import make_portable

_DEFAULT_SECRETS = {
    "aws": "cloud-credentials",
    "legacy-aws": "cloud-credentials",
    "gcp": "cloud-credentials-gcp",
    "azure": "cloud-credentials-azure",
}
"""Secrets that OADP uses for a provider where none is named."""


class ProtectionError(Exception):
    """What is stored, or what exists, can not be carried over as it is; somebody has to change it."""


class MissingSecretError(Exception):
    """A Secret that the application names does not exist (yet); the pass is to be repeated."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What to store; `application` is None where OADP is not set up."""

    application: Object | None = None
    secrets: tuple[Object, ...] = ()


def export_protection(client: Client) -> Protection:
    """Read the application and its Secrets, without what belongs to this cluster.

    Raises ProtectionError for more than one application, MissingSecretError, ApiError.
    """
    applications = client.list(DATA_PROTECTION, OADP_NAMESPACE)
    if not applications:
        return Protection()
    if len(applications) > 1:
        raise ProtectionError(f"Only one DataProtectionApplication CR is allowed in the {OADP_NAMESPACE}")
    named, assumed = list_secret_names(applications[0])
    found = {name: client.find(SECRET, name, OADP_NAMESPACE) for name in (*named, *assumed)}
    if missing := [name for name in named if found[name] is None]:
        texts = [f'secrets "{name}" not found' for name in missing]
        raise MissingSecretError(f"failed to get storageSecret: {', '.join(texts)}")
    secrets = [make_portable(secret) for secret in found.values() if secret is not None]
    return Protection(make_portable(applications[0]), tuple(secrets))


def list_secret_names(application: Object) -> tuple[list[str], list[str]]:
    """Return the Secrets that the application names, and those that OADP would use by default. Pure.

    A default one need not exist: providers also work with identities instead of keys.
    """
    spec = application.get("spec") or {}
    named = dict.fromkeys(name for location in _list_locations(spec) for name in _list_named(location) if name)
    velero = (spec.get("configuration") or {}).get("velero") or {}
    providers = [location.get("provider") for location in _list_locations(spec) if not location.get("credential")]
    providers += velero.get("defaultPlugins") or []
    assumed = dict.fromkeys(_DEFAULT_SECRETS[p] for p in map(_shorten, providers) if p in _DEFAULT_SECRETS)
    return list(named), [name for name in assumed if name not in named]


def restore_secrets(client: Client, directory: Path) -> None:
    """Create or replace each stored Secret; without the folder there is nothing to do.

    Raises ProtectionError that names every file which could not be brought back: `failed to restore OADP secrets: ...`.
    Its cause is the last refusal of the API, if there was one.
    """
    problems = []
    cause = None
    for path in list_files(directory):
        try:
            apply_manifest(client, read_object(path))
        except ProtectionError as error:
            problems.append(str(error))
        except ApplyError as error:
            problems.append(f"{path}: {error}")
            cause = error
    if problems:
        raise ProtectionError(f"failed to restore OADP secrets: {'; '.join(problems)}") from cause


def restore_application(client: Client, directory: Path) -> None:
    """Create or replace the stored application; without one there is nothing to do.

    Raises ProtectionError: `failed to restore OADP DataProtectionApplication: ...`.
    """
    try:
        if application := load_application(directory):
            apply_manifest(client, make_portable(application))
    except (ProtectionError, ApplyError) as error:
        raise ProtectionError(f"failed to restore OADP DataProtectionApplication: {error}") from error


def find_missing_application(client: Client, directory: Path) -> str | None:
    """Return the name of the stored application if the cluster lacks it, None if it is there or none was stored.

    Raises ProtectionError when the file can not be read, ApiError when the cluster can not be asked.
    """
    application = load_application(directory)
    if application is None:
        return None
    name = get_name(application)
    return None if client.find(DATA_PROTECTION, name, OADP_NAMESPACE) else name


def load_application(directory: Path) -> Object | None:
    """Return the one stored application, or None. Raises ProtectionError with the documented texts (11)."""
    prefix = "failed to get stored DataProtectionApplication: "
    try:
        entries = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(entries) > 1:
        raise ProtectionError(f"{prefix}found more than one DataProtectionApplication yamls in {directory}")
    if not entries:
        return None
    if entries[0].is_dir():
        raise ProtectionError(f"{prefix}{entries[0]} is a directory instead of file")
    try:
        return read_object(entries[0])
    except ProtectionError as error:
        raise ProtectionError(f"{prefix}{error}") from error


def list_files(directory: Path) -> list[Path]:
    """Return the regular files of a folder by name, none when it does not exist; dot files are no part of it."""
    if not directory.is_dir():
        return []
    return sorted(entry for entry in directory.iterdir() if entry.is_file() and not entry.name.startswith("."))


def read_object(path: Path) -> Object:
    """Return the first object of a file. Raises ProtectionError that names the file."""
    try:
        objects, problems = decode_stream(path.read_bytes())
    except OSError as error:
        raise ProtectionError(f"{path} can not be read: {error.strerror}") from error
    if problems or not objects:
        raise ProtectionError(f"{path}: {problems[0] if problems else 'holds no object'}")
    return objects[0]


def _list_locations(spec: Any) -> Iterator[Object]:
    """Yield the settings of all locations for backups and for snapshots."""
    for entry in (*(spec.get("backupLocations") or ()), *(spec.get("snapshotLocations") or ())):
        for part in ("velero", "cloudStorage"):
            if isinstance(entry, dict) and isinstance(entry.get(part), dict):
                yield entry[part]


def _list_named(location: Object) -> Iterator[str]:
    """Yield the names of the Secrets that one location refers to: its credentials, by either way, and its CA."""
    yield (location.get("credential") or {}).get("name") or ""
    yield str((location.get("config") or {}).get("credentialsFile") or "").partition("/")[0]
    yield ((location.get("objectStorage") or {}).get("caCertRef") or {}).get("name") or ""


def _shorten(provider: Any) -> str:
    return str(provider or "").removeprefix("velero.io/")
