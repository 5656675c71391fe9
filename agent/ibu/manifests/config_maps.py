"""Reads the manifests in the ConfigMaps of `spec.extraManifests` (prep.md 4.4.1, upgrade-and-oadp.md 8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import decode_config_map, describe_binary_values
from crds.imagebasedupgrade import ConfigMapRef

CONFIG_MAP = Kind("", "v1", "ConfigMap")
_DISALLOWED = {
    Kind("machineconfiguration.openshift.io", "v1", "MachineConfig"),
    Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion"),
    Kind("operators.coreos.com", "v1alpha1", "InstallPlan"),
    Kind("operators.coreos.com", "v1alpha1", "Subscription"),
}


@dataclass(slots=True)
class ExtraManifests:
    """The manifests in the order in which they were found, and a text for everything that could not be read.

    `unavailable` is about ConfigMaps, `undecodable` about documents in them, `ignored` about values that are not looked
    at. `sources` identifies the ConfigMaps as they were read.
    """

    objects: list[Object] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)
    undecodable: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    sources: list[list[str]] = field(default_factory=list)


def read_extra_manifests(client: Client, references: Iterable[ConfigMapRef]) -> ExtraManifests:
    """Read each ConfigMap once. Raises transient ApiErrors."""
    found = ExtraManifests()
    for reference in dict.fromkeys(references):
        try:
            config_map = client.get(CONFIG_MAP, reference.name, reference.namespace)
        except errors.NotFound as error:
            found.unavailable.append(
                f"the extraManifests configMap is not found, error: failed to get configMap {error}. "
                "Please create the configMap."
            )
        except errors.Transient:
            raise
        except errors.ApiError as error:
            text = f"failed to get configMaps to export extraManifest to dir: failed to get configMap {error}"
            found.unavailable.append(text)
        else:
            objects, problems = decode_config_map(config_map)
            found.objects += objects
            found.undecodable += problems
            found.ignored += describe_binary_values(config_map)
            found.sources.append([config_map["metadata"]["uid"], config_map["metadata"]["resourceVersion"]])
    return found


def find_fault(manifest: Object) -> str | None:
    """Return why a manifest can be part of no upgrade, or None (prep.md 4.4.3)."""
    kind, metadata = Kind.of(manifest), manifest.get("metadata") or {}
    name = metadata.get("name")
    if not name or not isinstance(name, str):
        return f"{kind.kind} resource name is empty"
    if not isinstance(metadata.get("namespace") or "", str):
        return f"{kind.kind}[{name}]: metadata.namespace is no text"
    if not isinstance(metadata.get("annotations") or {}, dict):
        return f"{kind.kind}[{name}]: metadata.annotations is no map"
    return f"{kind.kind}[{name}] in extramanifests is not allowed" if kind in _DISALLOWED else None
