"""Keys and credentials that the node needs before its cluster runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from agent.node.postpivot.run import AUTH_FILE, PostPivot, StepError
from hostops import files
from seeds.handover import CLUSTER_MANIFESTS

logger = logging.getLogger(__name__)

USER = "core"
AUTHORIZED_KEYS = f"/home/{USER}/.ssh/authorized_keys.d"
EARLY_ACCESS_FILE = f"{AUTHORIZED_KEYS}/ib-early-access"
SSH_FOLDER = "/etc/ssh"
_SERVER_KEYS = "ssh_host_*_key*"
_SERVER_KEY_LABEL = "system_u:object_r:sshd_key_t:s0"
_SELINUX = "/sys/fs/selinux/enforce"


def set_ssh_key(run: PostPivot) -> None:
    """Let the administrator in, now by a file and for good by MachineConfigs."""
    key = run.site.ssh_key
    if not key:
        return
    files.make_directory(run.root.path(AUTHORIZED_KEYS), 0o700)
    files.write_atomically(run.root.path(EARLY_ACCESS_FILE), key, 0o600)
    run.runner.run("chown", USER, EARLY_ACCESS_FILE)
    manifests = run.root.path(CLUSTER_MANIFESTS)
    files.make_directory(manifests, 0o700)
    for role in ("master", "worker"):
        files.write_json(manifests / f"99-{role}-ssh.json", make_ssh_machine_config(role, key))


def make_ssh_machine_config(role: str, key: str) -> dict[str, Any]:
    """Return the MachineConfig that lets the owner of `key` log in to the nodes of `role`, in the original's form."""
    return {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfig",
        "metadata": {
            "name": f"99-{role}-ssh",
            "labels": {"machineconfiguration.openshift.io/role": role},
        },
        "spec": {
            "osImageURL": "",
            "baseOSExtensionsContainerImage": "",
            "config": {
                "ignition": {"version": "3.2.0"},
                "passwd": {"users": [{"name": USER, "sshAuthorizedKeys": [key]}]},
            },
            "kernelArguments": None,
            "extensions": None,
            "fips": False,
            "kernelType": "",
        },
    }


def write_pull_secret(run: PostPivot) -> None:
    """Give kubelet and podman the site's credentials for registries."""
    if not run.site.pull_secret:
        raise StepError("pull secret was not provided")
    logger.info("Writing provided pull secret to %s", AUTH_FILE)
    files.write_atomically(run.root.path(AUTH_FILE), run.site.pull_secret, 0o600)


def apply_server_ssh_keys(run: PostPivot) -> None:
    """Let the node be known to ssh clients as before; without keys recert has made new ones."""
    keys = {key.file_name: key.content for key in run.site.server_ssh_keys}
    if not keys:
        return
    if bad := [name for name in keys if Path(name).name != name or not name.strip(".")]:
        raise StepError(f"not file names: {', '.join(map(repr, bad))}")
    folder = run.root.path(SSH_FOLDER)
    for name, content in keys.items():
        files.write_atomically(folder / name, content, 0o644 if name.endswith(".pub") else 0o600)
        if run.root.path(_SELINUX).exists():
            run.runner.run("chcon", _SERVER_KEY_LABEL, f"{SSH_FOLDER}/{name}")
    for path in folder.glob(_SERVER_KEYS):
        if path.name not in keys:
            path.unlink()
    files.sync_directory(folder)
