"""The resource types of a cluster, and the names people call them by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.kube import Client, Kind, Object, errors

# Types that the API server serves under two groups; the backup holds them once.
_DOUBLES = frozenset({("events.k8s.io", "events"), ("extensions", "ingresses")})
_FIRST = ("pods", "persistentvolumeclaims", "persistentvolumes")


@dataclass(frozen=True)
class ResourceType:
    """One type in the version that the server prefers; `name` is `plural.group` (the plural for the core group)."""

    kind: Kind
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.kind.group}" if self.kind.group else self.plural


class Catalog:
    """All types that can be listed and created, in the order in which a backup takes them."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        self.types = tuple(types)
        self._by_alias: dict[str, ResourceType] = {}
        for type_ in self.types:
            for alias in (type_.plural, type_.singular, *type_.short_names):
                self._by_alias.setdefault(alias, type_)
                self._by_alias.setdefault(f"{alias}.{type_.kind.group}", type_)

    @classmethod
    def read(cls, client: Client) -> Catalog:
        """Ask the server."""
        return cls(_discover(client))

    def find(self, name: str) -> ResourceType | None:
        """The type of a plural, singular or short name in any case, with or without a group."""
        return self._by_alias.get(name.lower())

    def canonical(self, name: str) -> str:
        """`ResourceType.name` for any name of a type; a name nobody knows stays as it is."""
        found = self.find(name)
        return found.name if found else name


def _discover(client: Client) -> Iterator[ResourceType]:
    core = list(_read_version(client, "", "v1"))
    yield from sorted(core, key=lambda type_: _FIRST.index(type_.plural) if type_.plural in _FIRST else len(_FIRST))
    for group in client.request("GET", "/apis")["groups"]:
        name, seen = group["name"], set[str]()
        preferred = group["preferredVersion"]["version"]
        versions = [preferred, *(v["version"] for v in group["versions"] if v["version"] != preferred)]
        for version in versions:
            for type_ in _read_version(client, name, version):
                if type_.plural not in seen and (name, type_.plural) not in _DOUBLES:
                    yield type_
                seen.add(type_.plural)


def _read_version(client: Client, group: str, version: str) -> Iterator[ResourceType]:
    try:
        answer = client.request("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
    except errors.NotFound:  # the group's last CRD has just gone
        return
    for entry in answer["resources"]:
        if {"list", "create"} <= set(entry["verbs"]) and "/" not in entry["name"]:
            yield _type_of(Kind(group, version, entry["kind"]), entry)


def _type_of(kind: Kind, entry: Object) -> ResourceType:
    return ResourceType(
        kind=kind,
        plural=entry["name"],
        singular=entry["singularName"] or entry["kind"].lower(),
        short_names=tuple(entry.get("shortNames", ())),
        namespaced=entry["namespaced"],
    )
