"""What the old release leaves in the new stateroot for the programs that run there after the pivot.

Writer and readers share the names here (upgrade-and-oadp.md 3.0, post-pivot-and-rollback.md 1). `/opt` is a link to
`/var/opt`, and a stateroot's `/var` is the same for all its deployments: what is written below
`/ostree/deploy/<stateroot>/var/opt` before the reboot is found below `/opt` after it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hostops import files
from hostops.stateroots import stateroot_path

CONFIGURATION = "/opt/openshift"
CLUSTER_CONFIGURATION = f"{CONFIGURATION}/cluster-configuration"
RECONFIGURATION_FILE = f"{CLUSTER_CONFIGURATION}/manifest.json"
CLUSTER_MANIFESTS = f"{CLUSTER_CONFIGURATION}/manifests"
CERT_MANAGER_CRYPTO = f"{CLUSTER_CONFIGURATION}/certmanager-crypto"
KUBECONFIG_CRYPTO = f"{CONFIGURATION}/kubeconfig-crypto"
INSTALLER_MANIFESTS = f"{CONFIGURATION}/extra-manifests"
"""Manifests of an image-based installation; an upgrade has none here."""
CONNECTIONS = f"{CONFIGURATION}/network-configuration/system-connections"
LVM_CONFIGURATION = f"{CONFIGURATION}/lvm-configuration"
LVM_DEVICES = f"{LVM_CONFIGURATION}/system.devices"
RECERT_CONFIG = f"{CONFIGURATION}/recert_config.json"

OADP = "/opt/OADP"
OADP_SECRETS = f"{OADP}/secret"
OADP_DPA = f"{OADP}/dpa"
OADP_RESTORES = f"{OADP}/veleroRestore"
EXTRA_MANIFESTS = "/opt/extra-manifests"
POLICY_MANIFESTS = "/opt/policy-manifests"

SEED_DATA = "/var/seed_data"
SEED_INFO_FILE = f"{SEED_DATA}/manifest.json"

_NAME_LIMIT_BYTES = 240  # of 255: a temporary file's name is longer
_TRAILING_NUMBER = re.compile(r"(\d+)$")
_LEADING_NUMBER = re.compile(r"^(\d+)_")


def place_in_stateroot(stateroot: str, path: str) -> str:
    """Return the host path, before the reboot, of what is at `path` (below `/opt` or `/var`) once `stateroot` runs.

    Raises ValueError for other paths.
    """
    below_var = f"/var{path}" if path.startswith("/opt/") else path
    if not below_var.startswith("/var/"):
        raise ValueError(f"not below /opt or /var: {path}")
    return stateroot_path(stateroot) + below_var


def replace_tree(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill an empty folder (mode 0700) that then takes the place of `target`.

    Nothing of an earlier attempt survives in it. A crash leaves `target` whole, or absent: then it has to be written
    again before the reboot. Raises OSError.
    """
    files.make_directory(target.parent, 0o700)
    fresh = target.with_name(f".{target.name}.new")
    remove_tree(fresh)
    files.make_directory(fresh, 0o700)
    write(fresh)
    remove_tree(target)
    fresh.rename(target)
    files.sync_directory(target.parent)


def remove_tree(target: Path) -> None:
    """Remove a folder of an earlier attempt; absence is fine. Raises OSError."""
    if target.exists():
        shutil.rmtree(target)


def write_groups(
    directory: Path, prefix: str, groups: Sequence[Sequence[Mapping[str, Any]]], name_file: Callable[[Any], str]
) -> None:
    """Write each group of objects to `<prefix><N>/<j>_<name>.yaml`, N and j from 1; an older tree is replaced.

    Numbers are padded to equal width, so that sorting by name is sorting by number for every reader.
    """

    def write(fresh: Path) -> None:
        for number, group in enumerate(groups, 1):
            folder = fresh / f"{prefix}{number:0{len(str(len(groups)))}}"
            files.make_directory(folder, 0o700)
            for index, obj in enumerate(group, 1):
                name = fit_file_name(f"{index:0{len(str(len(group)))}}_{name_file(obj)}.yaml")
                files.write_atomically(folder / name, dump_object(obj), 0o600)

    replace_tree(directory, write)


def list_groups(directory: Path) -> list[list[Path]]:
    """Return the files of each group in order of their numbers; none when the folder is absent.

    Plain files beside the groups, and folders inside them, are no part of a group.
    """
    if not directory.is_dir():
        return []
    folders = sorted((entry for entry in directory.iterdir() if entry.is_dir()), key=_order_group)
    return [sorted((file for file in folder.iterdir() if file.is_file()), key=_order_file) for folder in folders]


def fit_file_name(name: str) -> str:
    """Return `name` as one that every file system takes; its number in front, order and ending stay."""
    name = name.replace("/", "_")
    if len(name.encode()) <= _NAME_LIMIT_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    head = name.encode()[: _NAME_LIMIT_BYTES - 32].decode(errors="ignore")
    return f"{head}_{digest}{Path(name).suffix}"


def dump_object(obj: Mapping[str, Any]) -> str:
    """Return an object in one line of JSON, which is YAML of every version."""
    return json.dumps(obj, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _order_group(folder: Path) -> tuple[int, str]:
    found = _TRAILING_NUMBER.search(folder.name)
    return (int(found[1]) if found else 0), folder.name


def _order_file(file: Path) -> tuple[int, str]:
    found = _LEADING_NUMBER.match(file.name)
    return (int(found[1]) if found else 0), file.name
