"""The keys of the cluster, kept on the node while its certificates expire (seed-image-and-gitops.md B.4)."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from agent.kube import Client, Kind
from agent.node.ending import ProgramError
from agent.node.stateroot.collect import read_kubeconfig_crypto
from hostops import files
from seeds.creation_recert import PASSWORD_FILE

SECRET = Kind("", "v1", "Secret")
_PASSWORD = ("kubeadmin", "kube-system")


def back_up_crypto(client: Client, folder: Path) -> None:
    """Write the keys to the existing `folder`. Raises ProgramError, ApiError, OSError."""
    for name, content in read_kubeconfig_crypto(client).items():
        files.write_atomically(folder / name, content)
    secret = client.find(SECRET, *_PASSWORD)
    if secret is None:
        files.remove_durably(folder / PASSWORD_FILE)
        return
    try:
        password = base64.b64decode((secret.get("data") or {})[_PASSWORD[0]], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise ProgramError(f"Secret {_PASSWORD[1]}/{_PASSWORD[0]} has no usable key {_PASSWORD[0]}") from error
    files.write_atomically(folder / PASSWORD_FILE, password)


def has_password(folder: Path) -> bool:
    """Whether the cluster has an administrator's password."""
    return (folder / PASSWORD_FILE).exists()


def read_password(folder: Path) -> str:
    """Return the hash of the administrator's password, "" if there is none."""
    return (folder / PASSWORD_FILE).read_text() if has_password(folder) else ""
