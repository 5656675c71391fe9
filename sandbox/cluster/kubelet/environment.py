"""Variables of a container and the `$(NAME)` references in its command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agent.kube import Object
from sandbox.cluster.kubelet.downward import PodConfigError, field_value, resource_value
from sandbox.cluster.kubelet.sources import Sources

_REFERENCE = re.compile(r"\$\$|\$\(([^()]+)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable's value; unknown names stay, `$$` is a plain `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def build_environment(
    pod: Object, container: Object, sources: Sources, allocatable: dict[str, str], base: Mapping[str, str]
) -> dict[str, str]:
    """All variables of a container; later entries win and may refer to earlier ones. Raises PodConfigError."""
    variables = dict(base)
    for entry in container.get("envFrom") or []:
        variables.update(_whole_source(entry, sources))
    for entry in container.get("env") or []:
        if "valueFrom" not in entry:
            variables[entry["name"]] = expand(entry.get("value") or "", variables)
            continue
        value = _value_from(entry["valueFrom"], pod, container, sources, allocatable)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def command_line(container: Object, variables: Mapping[str, str]) -> list[str]:
    """Program and arguments of a container that has a command."""
    return [expand(word, variables) for word in (*container["command"], *(container.get("args") or []))]


def _whole_source(entry: Object, sources: Sources) -> Iterator[tuple[str, str]]:
    reference = entry.get("configMapRef") or entry["secretRef"]
    is_map = "configMapRef" in entry
    data = sources.config_map(reference["name"]) if is_map else sources.secret(reference["name"])
    if data is None and not reference.get("optional"):
        raise PodConfigError(f'{"configmap" if is_map else "secret"} "{reference["name"]}" not found')
    for key, value in sorted((data or {}).items()):
        yield entry.get("prefix", "") + key, value.decode(errors="replace")


def _value_from(
    source: Object, pod: Object, container: Object, sources: Sources, allocatable: dict[str, str]
) -> str | None:
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        named = next((c for c in all_containers(pod) if c["name"] == reference.get("containerName")), container)
        return resource_value(named, reference["resource"], reference.get("divisor"), allocatable)
    is_map = "configMapKeyRef" in source
    reference = source["configMapKeyRef"] if is_map else source["secretKeyRef"]
    data = sources.config_map(reference["name"]) if is_map else sources.secret(reference["name"])
    what = "configmap" if is_map else "secret"
    if data is not None and reference["key"] in data:
        return data[reference["key"]].decode(errors="replace")
    if reference.get("optional"):
        return None
    if data is None:
        raise PodConfigError(f'{what} "{reference["name"]}" not found')
    raise PodConfigError(
        f"couldn't find key {reference['key']} in {what} {pod['metadata']['namespace']}/{reference['name']}"
    )


def all_containers(pod: Object) -> list[Object]:
    """Init containers and containers, in the order in which they start."""
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
