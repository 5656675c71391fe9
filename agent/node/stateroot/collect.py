"""Reads from the API what the stateroot is to be built from: once, before anything is done to the host."""

from __future__ import annotations

import base64
import binascii

from agent.kube import Client, Kind, Object
from agent.kube.errors import ApiError
from agent.node.ending import ProgramError
from agent.node.stateroot.request import SetupRequest
from crds.imagebasedupgrade import ImageBasedUpgrade
from seeds.autorollback import AutoRollbackConfig

UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
SECRET = Kind("", "v1", "Secret")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
PULL_SECRET_KEY = ".dockerconfigjson"  # noqa: S105 - the name of a key
SIGNERS_NAMESPACE = "openshift-kube-apiserver-operator"

# File of the kubeconfig crypto -> Secret with the private key (prep.md 7.4).
_KEYS = {
    "loadbalancer-serving-signer.key": (SIGNERS_NAMESPACE, "loadbalancer-serving-signer"),
    "localhost-serving-signer.key": (SIGNERS_NAMESPACE, "localhost-serving-signer"),
    "service-network-serving-signer.key": (SIGNERS_NAMESPACE, "service-network-serving-signer"),
    "ingresskey-ingress-operator.key": ("openshift-ingress-operator", "router-ca"),
}
_CLIENT_CA_FILE = "admin-kubeconfig-client-ca.crt"


def read_request(client: Client, namespace: str) -> SetupRequest:
    """Collect the request; `namespace` is the operator's. Raises ProgramError."""
    try:
        upgrade = ImageBasedUpgrade.model_validate(client.get(UPGRADE, "upgrade"))
    except (ApiError, ValueError) as error:
        raise ProgramError(f"failed get IBU cr: {error}") from error
    seed = upgrade.spec.seed_image_ref
    if seed is None or not seed.image or not seed.version:
        raise ProgramError("failed get IBU cr: spec.seedImageRef.image and spec.seedImageRef.version must be set")
    secret = seed.pull_secret_ref
    return SetupRequest(
        image=seed.image,
        version=seed.version,
        stateroot=seed.stateroot,
        auto_rollback=AutoRollbackConfig.choose(upgrade),
        kubeconfig_crypto=read_kubeconfig_crypto(client),
        pull_secret=read_pull_secret(client, namespace, secret.name) if secret else None,
    )


def read_pull_secret(client: Client, namespace: str, name: str) -> bytes:
    """Return the auth file that a Secret of the operator's namespace holds. Raises ProgramError."""
    prefix = "failed to pull seed image: "
    try:
        secret = client.get(SECRET, name, namespace)
    except ApiError as error:
        raise ProgramError(f"{prefix}failed to retrieve pull-secret from secret {name}, err: {error}") from error
    content = _decode(secret, PULL_SECRET_KEY)
    if content is None:
        raise ProgramError(f"{prefix}did not find key {PULL_SECRET_KEY} in Secret {name}/{namespace}")
    return content


def read_kubeconfig_crypto(client: Client) -> dict[str, bytes]:
    """Return the files of the kubeconfig crypto. Raises ProgramError that names every missing one."""
    files: dict[str, bytes] = {}
    problems = []
    sources = {_CLIENT_CA_FILE: (CONFIG_MAP, "openshift-config", "admin-kubeconfig-client-ca", "ca-bundle.crt")}
    sources |= {file: (SECRET, namespace, name, "tls.key") for file, (namespace, name) in _KEYS.items()}
    for file, (kind, namespace, name, key) in sources.items():
        try:
            found = client.get(kind, name, namespace)
        except ApiError as error:
            problems.append(str(error))
            continue
        content = _decode(found, key)
        if content is None:
            problems.append(f"{kind.kind} {namespace}/{name} has no usable key {key}")
        else:
            files[file] = content
    if problems:
        raise ProgramError(f"failed to backup certificates: {'; '.join(problems)}")
    return files


def _decode(obj: Object, key: str) -> bytes | None:
    value = (obj.get("data") or {}).get(key)
    if not isinstance(value, str):
        return None
    if obj.get("kind") == "ConfigMap":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
