"""The cluster's pull secret: replaced by one that opens nothing, and put back (seed-image-and-gitops.md A.7, I.2).

The original is stored on the host before anything is replaced, and kept until it is back; what opens nothing is never
stored in its place.
"""

from __future__ import annotations

import base64
import binascii
import logging
from datetime import timedelta

from agent.kube import Kind, Object
from agent.seedgen import messages
from agent.seedgen.context import Context
from agent.seedgen.kind import SECRET
from agent.seedgen.ports import NODE_AUTH_FILE, Ports
from agent.workflow.outcome import Failed, Outcome, Wait
from hostops import files

logger = logging.getLogger(__name__)

POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
SANITIZED = (
    b'{"auths":{"registry.connect.redhat.com":{"username":"empty","password":"empty","auth":"ZW1wdHk6ZW1wdHk=",'
    b'"email":""}}}'
)
STORED = "pull-secret.json"
_NAME = ("pull-secret", "openshift-config")
_KEY = ".dockerconfigjson"
_LIMIT = timedelta(minutes=10)
_LATE = "timed out waiting for MCO to override pull-secret file"


def store_pull_secret(context: Context) -> Outcome | None:
    """Keep the cluster's pull secret on the host, once."""
    path = context.ports.workspace(STORED)
    if path.exists():
        return None
    content = _decode(context.ports.client.get(SECRET, *_NAME))
    if content.strip() == SANITIZED:
        return Failed(messages.SANITIZED_PULL_SECRET)
    if not content:
        return Failed(f"could not access pull-secret pull-secret in openshift-config: it has no key {_KEY}")
    files.write_atomically(path, content)
    return None


def sanitize_pull_secret(context: Context) -> Outcome | None:
    """Replace the pull secret, and wait until that has arrived at the node."""
    ports = context.ports
    original = read_stored(ports)
    if original is None:
        return Failed("failed sanitizing cluster's pull-secret: the original is not stored")
    secret = ports.client.get(SECRET, *_NAME)
    content = _decode(secret)
    if content.strip() != SANITIZED:
        if content != original:  # somebody has set another one since
            files.write_atomically(ports.workspace(STORED), content)
        _write(ports, secret, SANITIZED)
    pending = _find_busy_pools(ports) if _is_node_sanitized(ports) else f"{NODE_AUTH_FILE} is not replaced yet"
    if not pending:
        return None
    late = f"failed sanitizing cluster's pull-secret: {_LATE}: {pending}"
    return context.wait_at_most("sanitize_pull_secret", _LIMIT, messages.waiting(messages.CLEANING, pending), late)


def put_back_pull_secret(context: Context) -> Outcome | None:
    """Put the original back where what opens nothing is; another one that somebody set meanwhile stays."""
    ports = context.ports
    original = read_stored(ports)
    if original is None:
        return None
    secret = ports.client.get(SECRET, *_NAME)
    content = _decode(secret)
    if content.strip() == SANITIZED:
        secret = _write(ports, secret, original)
        content = _decode(secret)
    if content != original:
        logger.warning("openshift-config/pull-secret was changed by somebody else and is left as it is")
    return None


def await_pull_secret(context: Context) -> Outcome | None:
    """Wait until the original is back at the node; when that takes very long it is left to the cluster."""
    ports = context.ports
    if read_stored(ports) is None:
        return None
    pending = f"{NODE_AUTH_FILE} is not put back yet" if _is_node_sanitized(ports) else _find_busy_pools(ports)
    if not pending:
        return None
    outcome = context.wait_at_most("await_pull_secret", _LIMIT, messages.waiting(messages.RESTORING, pending), _LATE)
    if isinstance(outcome, Wait):
        return outcome
    logger.warning("%s: %s", _LATE, pending)
    return None


def read_stored(ports: Ports) -> bytes | None:
    """Return the original, None when it is not stored."""
    path = ports.workspace(STORED)
    return path.read_bytes() if path.exists() else None


def _is_node_sanitized(ports: Ports) -> bool:
    try:
        return ports.root.path(NODE_AUTH_FILE).read_bytes().strip() == SANITIZED
    except OSError:
        return False


def _find_busy_pools(ports: Ports) -> str:
    busy = [
        pool["metadata"]["name"]
        for pool in ports.client.list(POOL)
        if (pool.get("status") or {}).get("machineCount", 0) != (pool.get("status") or {}).get("readyMachineCount", 0)
    ]
    return f"MachineConfigPools not yet ready: {', '.join(busy)}" if busy else ""


def _decode(secret: Object) -> bytes:
    try:
        return base64.b64decode((secret.get("data") or {}).get(_KEY, ""), validate=True)
    except binascii.Error:
        return b""


def _write(ports: Ports, secret: Object, content: bytes) -> Object:
    return ports.client.update({**secret, "data": {_KEY: base64.b64encode(content).decode()}})
