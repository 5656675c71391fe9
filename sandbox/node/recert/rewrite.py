"""Which objects of a cluster change when it becomes another one: pure, from objects to objects."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from sandbox.node.recert.config import RecertConfig
from sandbox.node.recert.etcd import Objects

INSTALL_CONFIG = "/registry/configmaps/kube-system/cluster-config-v1"
INFRASTRUCTURE = "/registry/config.openshift.io/infrastructures/cluster"
PROXY = "/registry/config.openshift.io/proxies/cluster"
PULL_SECRET = "/registry/secrets/openshift-config/pull-secret"  # noqa: S105
KUBEADMIN = "/registry/secrets/kube-system/kubeadmin"
USER_CA_BUNDLE = "/registry/configmaps/openshift-config/user-ca-bundle"
NODES = "/registry/minions/"


@dataclass(frozen=True, slots=True)
class Names:
    """Names and addresses by which a cluster is known."""

    cluster: str
    domain: str
    infra_id: str
    hostname: str
    addresses: tuple[str, ...]


def read_names(objects: Objects) -> Names:
    """The present names of the cluster. Raises KeyError when an object that holds them is missing."""
    install = yaml.safe_load(objects[INSTALL_CONFIG]["data"]["install-config"])
    node: dict[str, Any] = next((value for key, value in objects.items() if key.startswith(NODES)), {})
    addresses = node.get("status", {}).get("addresses", [])
    return Names(
        cluster=install["metadata"]["name"],
        domain=install["baseDomain"],
        infra_id=objects[INFRASTRUCTURE].get("status", {}).get("infrastructureName", ""),
        hostname=node.get("metadata", {}).get("name", ""),
        addresses=tuple(each["address"] for each in addresses if each["type"] == "InternalIP"),
    )


def rewrite_objects(objects: Objects, old: Names, config: RecertConfig) -> tuple[Objects, set[str]]:
    """Return (objects to write by key, keys to remove). `objects` is left as it is."""
    rename = make_renamer(old, config)
    written: Objects = {}
    removed: set[str] = set()
    for key, value in objects.items():
        new = _walk(value, rename)
        new_key = key
        name = value.get("metadata", {}).get("name", "")
        if name and new["metadata"]["name"] != name:
            new_key = f"{key.removesuffix(name)}{new['metadata']['name']}"
            removed.add(key)
        if new != value:
            written[new_key] = new
    current = {**objects, **written}
    for key, new_value in _replace_contents(current, config).items():
        if new_value is None:
            removed.add(key)
            written.pop(key, None)
        else:
            written[key] = new_value
    return written, removed


def make_renamer(old: Names, config: RecertConfig) -> Callable[[str], str]:
    """The function that turns a text of the old cluster into one of the new cluster."""
    cluster, domain, infra_id = [*(config.cluster_rename or "").split(":"), "", "", ""][:3]
    exact: dict[str, str] = {}
    parts: list[tuple[re.Pattern[str], str]] = []
    if config.cluster_rename:
        parts.append((_token(f"{old.cluster}.{old.domain}"), f"{cluster}.{domain}"))
        if infra_id and old.infra_id:
            parts.append((_token(old.infra_id), infra_id))
    if config.hostname and old.hostname:
        exact[old.hostname] = config.hostname
        exact[f"system:node:{old.hostname}"] = f"system:node:{config.hostname}"
    parts += [(_token(before), after) for before, after in zip(old.addresses, config.addresses, strict=False)]

    def rename(text: str) -> str:
        if text in exact:
            return exact[text]
        for pattern, after in parts:
            text = pattern.sub(lambda _, after=after: after, text)  # type: ignore[misc]
        return text

    return rename


def _token(text: str) -> re.Pattern[str]:
    """`text` where it is not part of a longer name or number."""
    return re.compile(rf"(?<![0-9A-Za-z_-]){re.escape(text)}(?![0-9A-Za-z_-])")


def _walk(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, list):
        return [_walk(item, rename) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, rename) for key, item in value.items()}
    return value


def _replace_contents(objects: Objects, config: RecertConfig) -> dict[str, dict[str, Any] | None]:
    """Objects whose whole content is given by the configuration; None means that the object goes."""
    changed: dict[str, dict[str, Any] | None] = {}

    def put(key: str, *path: str, value: Any) -> None:
        if key not in objects:
            return
        target = changed.setdefault(key, copy.deepcopy(objects[key]))
        assert target is not None
        for step in path[:-1]:
            target = target.setdefault(step, {})
        target[path[-1]] = value

    if config.install_config:
        put(INSTALL_CONFIG, "data", "install-config", value=config.install_config)
    if config.pull_secret:
        put(PULL_SECRET, "data", ".dockerconfigjson", value=_base64(config.pull_secret))
    if config.kubeadmin_password_hash:
        put(KUBEADMIN, "data", "kubeadmin", value=_base64(config.kubeadmin_password_hash))
    elif config.kubeadmin_password_hash == "" and KUBEADMIN in objects:
        changed[KUBEADMIN] = None
    if config.user_ca_bundle:
        put(USER_CA_BUNDLE, "data", "ca-bundle.crt", value=config.user_ca_bundle)
    if config.proxy_trusted_ca_bundle:
        name, _, bundle = config.proxy_trusted_ca_bundle.partition(":")
        put(PROXY, "spec", "trustedCA", value={"name": name})
        if bundle:
            put(f"/registry/configmaps/openshift-config/{name}", "data", "ca-bundle.crt", value=bundle)
    if config.proxy:
        words = config.proxy.split("|")
        for section, values in (("spec", words[:3]), ("status", words[3:6])):
            for field, text in zip(("httpProxy", "httpsProxy", "noProxy"), values, strict=True):
                put(PROXY, section, field, value=text)
    return changed


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
