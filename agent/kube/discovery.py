"""Which kinds the API server serves, and under which REST names."""

from __future__ import annotations

import json
import threading

from agent.kube.errors import ApiError, DiscoveryFailed, KindNotServed, NotFound, Transient
from agent.kube.kind import Kind, Resource
from agent.kube.transport import Request, Transport


class Discovery:
    """Remembers what was found; asks again for what it does not know, so that new CRDs are noticed at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._resources: dict[Kind, Resource] = {}

    def resource(self, kind: Kind) -> Resource:
        """Return how a kind is served.

        Raises `KindNotServed` when it is not, `DiscoveryFailed` when its group does not answer.
        """
        found = self._resources.get(kind)
        if found is None:
            self._learn(kind.group, kind.version)
            found = self._resources.get(kind)
        if found is None:
            raise KindNotServed(
                f'no matches for kind "{kind.kind}" in version "{kind.api_version}"', status=404, reason="NotFound"
            )
        return found

    def forget(self, kind: Kind) -> None:
        """Drop what is known about the kind's group and version."""
        with self._lock:
            self._resources = {
                k: r for k, r in self._resources.items() if (k.group, k.version) != (kind.group, kind.version)
            }

    def _learn(self, group: str, version: str) -> None:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            # not repeated after a 5xx: the aggregator gives it for as long as the group's own server is down
            answer = json.loads(self._transport.call(Request("GET", path, verb="discover", idempotent=False)))
        except NotFound:
            return
        except Transient as error:
            if error.status < 500:
                raise
            raise DiscoveryFailed(
                f"unable to retrieve the complete list of server APIs: {path.split('/', 2)[2]}: {error}",
                status=error.status,
                reason=error.reason,
            ) from error
        found = parse_resource_list(answer, group, version)
        with self._lock:
            self._resources = {**self._resources, **{r.kind: r for r in found}}


def parse_resource_list(answer: object, group: str, version: str) -> list[Resource]:
    """Read an `APIResourceList`; subresources are attached to their resource."""
    if not isinstance(answer, dict) or not isinstance(answer.get("resources"), list):
        raise ApiError(f"the answer to the discovery of {group}/{version} is no APIResourceList")
    entries = {entry["name"]: entry for entry in answer["resources"]}
    resources = []
    for name, entry in entries.items():
        if "/" in name:
            continue
        subresources = frozenset(n.partition("/")[2] for n in entries if n.startswith(name + "/"))
        kind = Kind(entry.get("group") or group, entry.get("version") or version, entry["kind"])
        resources.append(
            Resource(kind, name, bool(entry["namespaced"]), frozenset(entry.get("verbs") or ()), subresources)
        )
    return resources
