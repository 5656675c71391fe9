"""What the API serves: kinds, objects as plain JSON, watch events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object exactly as the API server sent it: JSON, no model, integers stay integers."""

Objects: TypeAlias = list[Object]


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """Group, version and kind of an object; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, obj: Object) -> Kind:
        """Read the kind of an object from its `apiVersion` and `kind`."""
        group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
        return cls(group, version, str(obj.get("kind") or ""))

    @property
    def api_version(self) -> str:
        """`group/version`, or only the version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"


class Event(NamedTuple):
    """One change seen by a watch; `type` is ADDED, MODIFIED or DELETED."""

    type: str
    object: Object


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is served: the REST name, its scope, and its subresources (for example `status`)."""

    kind: Kind
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path; without a namespace the one of all namespaces, without a name the one of the collection.

        A namespace given for a cluster-scoped kind is ignored, as kubectl does.
        """
        parts = ["/apis", self.kind.group] if self.kind.group else ["/api"]
        parts.append(self.kind.version)
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)
