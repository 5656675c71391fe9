"""How a hub reaches the site's API server: through the CRD's rules, whatever the server knows, and by policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.kube import Client, Kind, Object, errors
from tests.cel import Judge
from tests.gitops.policy import Policy

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
_ATTEMPTS = 5


class RuledClient:
    """A client whose changes of the resource pass the CRD's CEL rules first.

    API servers before 1.25 do not know the rules; on newer ones they are evaluated twice, to the same end.
    """

    def __init__(self, client: Client, judge: Judge) -> None:
        self._client = client
        self._judge = judge

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """See `Client.find`."""
        return self._client.find(kind, name, namespace)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """See `Client.get`."""
        return self._client.get(kind, name, namespace)

    def create(self, obj: Object) -> Object:
        """See `Client.create`; raises Invalid with the rule's text."""
        if Kind.of(obj) == IBU:
            self._check(obj, None)
        return self._client.create(obj)

    def update(self, obj: Object) -> Object:
        """See `Client.update`; raises Invalid with the rule's text. The status is what is stored, as on a server."""
        if Kind.of(obj) == IBU:
            old = self._client.get(IBU, obj["metadata"]["name"])
            new = {key: value for key, value in obj.items() if key != "status"}
            self._check(new | ({"status": old["status"]} if "status" in old else {}), old)
        return self._client.update(obj)

    def _check(self, new: Object, old: Object | None) -> None:
        refusals = [message for _, message in self._judge(new, old)]
        if refusals:
            name = new["metadata"]["name"]
            raise errors.Invalid(f'ImageBasedUpgrade.lca.openshift.io "{name}" is invalid: {"; ".join(refusals)}')


class PolicyEngine:
    """Evaluates and enforces policies on the site, one write for each template that is not met."""

    def __init__(self, client: RuledClient) -> None:
        self._client = client

    def is_compliant(self, policy: Policy) -> bool:
        """Whether the objects are as the policy says now."""
        return all(template.matches(self._read(template.body)) for template in policy.templates)

    def enforce(self, policy: Policy) -> None:
        """Bring spec and metadata of the objects to what the policy says. Raises ApiError."""
        for template in policy.templates:
            self._write(template)

    def _write(self, template: Any) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            live = self._read(template.body)
            wanted = template.enforce(live)
            if wanted is None:
                return
            try:
                self._client.create(wanted) if live is None else self._client.update(wanted)
                return
            except errors.Conflict:
                if attempt == _ATTEMPTS:
                    raise

    def _read(self, body: Mapping[str, Any]) -> Object | None:
        metadata = body["metadata"]
        return self._client.find(Kind.of(dict(body)), metadata["name"], metadata.get("namespace"))
