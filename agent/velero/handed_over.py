"""The files by which application data crosses a pivot: DataProtectionApplication, Secrets, Restores (3.0, 7).

Names and places are in `seeds.handover`; the folders given here are where this process sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.kube import Object
from agent.kube.manifests import decode_stream, group_by_wave
from agent.velero.content import get_name
from agent.velero.portable import make_portable
from agent.velero.protection import Protection
from hostops.files import write_atomically
from seeds.handover import dump_object, list_groups, replace_tree, write_groups

_GROUP_PREFIX = "restore"


class HandoverError(Exception):
    """A handed-over file can not be used; the text names it."""


def save_protection(application_directory: Path, secrets_directory: Path, protection: Protection) -> None:
    """Store application and Secrets, one file each; nothing of an earlier attempt survives. Raises OSError."""
    _save_objects(application_directory, [protection.application] if protection.application else [])
    _save_objects(secrets_directory, protection.secrets)


def save_restores(directory: Path, restores: Iterable[Object]) -> None:
    """Store the Restores by wave; nothing of an earlier attempt survives. Raises WaveError and OSError."""
    write_groups(directory, _GROUP_PREFIX, group_by_wave(map(make_portable, restores)), _name_restore)


def load_restores(directory: Path) -> list[list[Object]]:
    """Return the stored Restores in their groups, all documents of each file. Raises HandoverError and OSError."""
    return [[obj for path in group for obj in _read_objects(path)] for group in list_groups(directory)]


def _save_objects(directory: Path, objects: Sequence[Object]) -> None:
    def write(folder: Path) -> None:
        for obj in objects:
            write_atomically(folder / f"{get_name(obj)}.yaml", dump_object(obj), 0o600)

    if objects or directory.exists():
        replace_tree(directory, write)


def _name_restore(restore: Object) -> str:
    return f"{get_name(restore)}_{restore['metadata'].get('namespace', '')}"


def _read_objects(path: Path) -> list[Object]:
    objects, problems = decode_stream(path.read_bytes())
    if problems:
        raise HandoverError(f"{path}: {'; '.join(problems)}")
    return objects
