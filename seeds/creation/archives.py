"""What goes into the archives of a seed image, and what does not (seed-image-and-gitops.md B.10). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hostops.archive import Packing
from hostops.ostree import ConfigChange
from seeds.format import SeedFormatError
from seeds.units import RESTORE_UNIT, enablement_links

CURRENT_MACHINE_CONFIG = "/etc/machine-config-daemon/currentconfig"

_VAR_EXCLUDES = (
    *("*/.bash_history", "var/tmp/*", "var/log/*", "var/lib/lca", "var/lib/log/*", "var/lib/cni/bin/*"),
    *("var/lib/containers/*", "var/lib/kubelet/pods/*", "var/lib/ovn-ic/etc/*"),
)
_ETC_EXCLUDES = (
    *("etc/NetworkManager/system-connections", "etc/machine-config-daemon/orig/var/lib/kubelet"),
    *("etc/openvswitch/conf.db", "etc/openvswitch/.conf.db.~lock~", "etc/hostname"),
)
_NOT_OF_THE_SEED = ("/etc/cni/multus",)
# What makes the seed node itself come back must not run on a target.
_OWN_FILES = frozenset((f"/etc/systemd/system/{RESTORE_UNIT}", *enablement_links(RESTORE_UNIT)))


def pack_var(managed: Iterable[str]) -> Packing:
    """`/var` without logs, images and what belongs to this node; `managed` files (absolute) are kept in any case."""
    return Packing("/", ("var",), _VAR_EXCLUDES, kept=tuple(path.lstrip("/") for path in managed))


def pack_etc(changes: Iterable[ConfigChange]) -> Packing:
    """What differs from the deployment's own `/etc`, without what was removed. Each file stands for itself."""
    paths = [change.path for change in changes if change.kind != "D" and _belongs_to_seed(change.path)]
    return Packing("/", tuple(path.lstrip("/") for path in paths), _ETC_EXCLUDES, whole_trees=False)


def pack_repository() -> Packing:
    """The system's ostree repository."""
    return Packing("/ostree/repo", (".",))


def format_deletions(changes: Iterable[ConfigChange]) -> str:
    """Return `etc.deletions`: what was removed from `/etc`, a path per line."""
    return "".join(f"{change.path}\n" for change in changes if change.kind == "D")


def list_managed_files(machine_config: str | bytes) -> list[str]:
    """Return the files below `/var/lib` that the current machine config demands, in its order.

    `machine_config` is the content of `CURRENT_MACHINE_CONFIG`. Raises SeedFormatError.
    """
    try:
        config = json.loads(machine_config)
        spec = config.get("spec") or {}
    except (ValueError, AttributeError) as error:
        raise SeedFormatError(f"unable to parse MCD currentconfig: {error}") from error
    ignition = spec.get("config")
    if not isinstance(ignition, dict):
        raise SeedFormatError("unable to find config in MCD currentconfig")
    try:
        files: list[dict[str, Any]] = (ignition.get("storage") or {}).get("files") or []
        paths = [str(file["path"]) for file in files]
    except (AttributeError, KeyError, TypeError) as error:
        raise SeedFormatError(f"unable to parse ignition config from MCD currentconfig: {error!r}") from error
    return [path for path in paths if path.startswith("/var/lib/")]


def _belongs_to_seed(path: str) -> bool:
    return path not in _OWN_FILES and not any(
        path == folder or path.startswith(f"{folder}/") for folder in _NOT_OF_THE_SEED
    )
