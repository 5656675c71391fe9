"""The client: reads and writes objects of any kind, uncached, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack
from weakref import WeakSet

import urllib3

from agent.kube.access import Access
from agent.kube.discovery import Discovery
from agent.kube.errors import ApiError, BadRequest, KindNotServed, NotFound, WatchExpired
from agent.kube.kind import Kind, Object, Objects, Resource
from agent.kube.retry import RetryPolicy
from agent.kube.transport import JSON, JSON_PATCH, MERGE_PATCH, Observer, Query, Request, Transport
from agent.kube.watching import Watch

T = TypeVar("T")
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

_PAGE_OBJECTS = 500
_WATCH_GRACE_SECONDS = 5.0


class ClientOptions(TypedDict, total=False):
    """What all ways to make a client accept."""

    policy: RetryPolicy
    observer: Observer | None
    user_agent: str


class Client:
    """One API server. All methods may be called from several threads, take bounded time and raise `ApiError`s."""

    def __init__(self, open_access: Callable[[], Access], **options: Unpack[ClientOptions]) -> None:
        """Use the access data that `open_access` returns; it is called again when the server answers 401.

        Raises `AccessError`; nothing is sent yet.
        """
        self._transport = Transport(
            open_access,
            policy=options.get("policy", RetryPolicy()),
            observer=options.get("observer"),
            user_agent=options.get("user_agent", "lifecycle-agent"),
        )
        self._discovery = Discovery(self._transport)
        self._watches: WeakSet[Watch] = WeakSet()

    @classmethod
    def connect(
        cls, kubeconfig: Path | None = None, context: str | None = None, **options: Unpack[ClientOptions]
    ) -> Client:
        """Connect by the kubeconfig given; else as the pod this runs in; else by $KUBECONFIG or ~/.kube/config."""
        return cls(lambda: Access.find(kubeconfig, context), **options)

    @classmethod
    def remote(
        cls, server: str, token: str, ca_pem: bytes | None, *, insecure: bool = False, **options: Unpack[ClientOptions]
    ) -> Client:
        """Connect to another cluster by bearer token and CA (None: the system's certificates decide)."""
        return cls(lambda: Access.remote(server, token, ca_pem, insecure=insecure), **options)

    @property
    def access(self) -> Access:
        """How this client reaches the server."""
        return self._transport.access

    def close(self) -> None:
        """End the watches, end calls that pause before a retry and refuse new ones (`Closed`), close connections."""
        self._transport.close()
        for watch in list(self._watches):
            watch.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # discovery

    def resource(self, kind: Kind) -> Resource:
        """Return how a kind is served; raises `KindNotServed`, or `DiscoveryFailed` when its group does not answer."""
        return self._discovery.resource(kind)

    def serves(self, kind: Kind) -> bool:
        """Whether the kind is served now; asks the server when the answer was no before."""
        try:
            self.resource(kind)
        except KindNotServed:
            return False
        return True

    def version(self) -> dict[str, str]:
        """Return the server's version data (`gitVersion`, `major`, `minor`...)."""
        version: dict[str, str] = self.request("GET", "/version")
        return version

    # reading

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        return self._call_named("GET", kind, name, namespace)

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """Read one object; None when it does not exist (also when its kind is not served)."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> Objects:
        """Read all objects of a namespace, or of all namespaces; `labels` and `fields` are selectors."""
        return self.list_with_version(kind, namespace, labels=labels, fields=fields)[0]

    def list_with_version(
        self, kind: Kind, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> tuple[Objects, str]:
        """Read all objects, and the resourceVersion from which a watch continues."""
        try:
            return self._list_pages(kind, namespace, labels, fields, _PAGE_OBJECTS)
        except WatchExpired:  # the snapshot the pages came from is too old by now: all in one
            return self._list_pages(kind, namespace, labels, fields, None)

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        name: str | None = None,
        labels: str | None = None,
        resource_version: str | None = None,
        timeout_seconds: float,
    ) -> Watch:
        """Follow changes for `timeout_seconds` (rounded up to seconds).

        Without a resourceVersion, what exists comes first as ADDED, at times twice. The result is an iterator with
        `stop()` and `resource_version`. Raises `WatchExpired` when the server no longer has the history since the
        resourceVersion.
        """
        fields = f"metadata.name={name}" if name else None
        list_all = partial(self.list_with_version, kind, namespace, labels=labels, fields=fields)
        list_again = list_all if resource_version is None else None
        existing: Objects = []
        if resource_version is None:
            existing, resource_version = list_all()
        query: dict[str, Any] = {
            "watch": True,
            "allowWatchBookmarks": True,
            "labelSelector": labels,
            "fieldSelector": fields,
        }
        watch = Watch(
            partial(self._open_watch, kind, namespace, query),
            resource_version=resource_version,
            initial=existing,
            timeout_seconds=timeout_seconds,
            policy=self._transport.policy,
            list_again=list_again,
        )
        self._watches.add(watch)
        return watch

    def read_log(
        self,
        name: str,
        namespace: str,
        *,
        container: str | None = None,
        since_seconds: int | None = None,
        tail_lines: int | None = None,
        limit_bytes: int | None = None,
    ) -> str:
        """Read the log of a pod's container; bytes that are no UTF-8 are replaced."""
        resource = self.resource(Kind("", "v1", "Pod"))
        query: Query = {
            "container": container,
            "sinceSeconds": since_seconds,
            "tailLines": tail_lines,
            "limitBytes": limit_bytes,
        }
        request = Request("GET", resource.path(namespace, name, "log"), query=query, accept="*/*", resource="pods/log")
        return self._transport.call(request).decode("utf-8", "replace")

    # writing

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Create an object. Never sent twice unless the server surely did not act on the first attempt."""
        metadata = obj.get("metadata") or {}
        return self._call_kind(
            "POST", Kind.of(obj), None, metadata.get("namespace"), body=obj, dry_run=dry_run, verb="create"
        )

    def update(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Replace an object that was read before; raises `Conflict` when it changed since (by its resourceVersion)."""
        return self._put(obj, None, dry_run=dry_run)

    def update_status(self, obj: Object) -> Object:
        """Replace the status of an object that was read before; nothing else changes; `Conflict` as in `update`."""
        return self._put(obj, "status")

    def patch_merge(
        self,
        kind: Kind,
        name: str,
        patch: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Apply a JSON merge patch (RFC 7386)."""
        return self._call_named(
            "PATCH", kind, name, namespace, subresource, body=patch, content_type=MERGE_PATCH, dry_run=dry_run,
            idempotent=True,
        )  # fmt: skip

    def patch_json(
        self,
        kind: Kind,
        name: str,
        patch: Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Apply a JSON patch (RFC 6902)."""
        return self._call_named(
            "PATCH", kind, name, namespace, subresource, body=patch, content_type=JSON_PATCH, dry_run=dry_run
        )

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> None:
        """Delete an object; with `uid` or `resource_version` only that very one (else `Conflict`)."""
        preconditions = {k: v for k, v in {"uid": uid, "resourceVersion": resource_version}.items() if v}
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if preconditions:
            options["preconditions"] = preconditions
        if dry_run:
            options["dryRun"] = ["All"]
        self._call_named("DELETE", kind, name, namespace, body=options)

    # raw

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        deadline_seconds: float | None = None,
    ) -> Any:
        """Call a path that no other method covers; returns the decoded JSON answer."""
        request = Request(method, path, query=query, body=body, content_type=content_type)
        return self._decode(request, self._transport.call(request, deadline_seconds=deadline_seconds))

    # inside

    def _put(self, obj: Object, subresource: str | None, *, dry_run: bool = False) -> Object:
        metadata = obj.get("metadata") or {}
        if not metadata.get("resourceVersion"):
            raise ValueError(
                f"update of {Kind.of(obj)} {metadata.get('name')}: no metadata.resourceVersion; read it first"
            )
        return self._call_named(
            "PUT", Kind.of(obj), metadata.get("name"), metadata.get("namespace"), subresource, body=obj, dry_run=dry_run
        )

    def _call_named(
        self,
        method: str,
        kind: Kind,
        name: str | None,
        namespace: str | None,
        subresource: str | None = None,
        **options: Any,
    ) -> Object:
        if not name:
            raise BadRequest("resource name may not be empty")
        return self._call_kind(method, kind, name, namespace, subresource, **options)

    def _call_kind(
        self,
        method: str,
        kind: Kind,
        name: str | None,
        namespace: str | None,
        subresource: str | None = None,
        *,
        dry_run: bool = False,
        query: Query | None = None,
        **options: Any,
    ) -> Object:
        for part in (name, namespace):
            if part in (".", ".."):  # as a part of a path it would name something else, the whole collection perhaps
                raise BadRequest(f"invalid resource name {part!r}: [may not be {part!r}]")

        def call(resource: Resource) -> Object:
            if resource.namespaced and not namespace and options.get("verb") != "list":
                raise BadRequest(
                    "an empty namespace may not be set "
                    + ("when a resource name is provided" if name else "during creation")
                )
            request = Request(
                method,
                resource.path(namespace, name, subresource),
                query={**(query or {}), "dryRun": "All" if dry_run else None},
                resource=resource.plural,
                **options,
            )
            answer: Object = self._decode(request, self._transport.call(request))
            return answer

        return self._with_resource(kind, call)

    def _with_resource(self, kind: Kind, call: Callable[[Resource], T]) -> T:
        """Call with what is known about the kind; when that proves stale (CRD gone or changed), ask and call again."""
        try:
            return call(self.resource(kind))
        except NotFound as error:
            if isinstance(error, KindNotServed) or error.details.get("name"):
                raise
        self._discovery.forget(kind)
        return call(self.resource(kind))

    def _open_watch(
        self, kind: Kind, namespace: str | None, query: Query, version: str, seconds: float
    ) -> urllib3.BaseHTTPResponse:
        def open_stream(resource: Resource) -> urllib3.BaseHTTPResponse:
            request = Request(
                "GET",
                resource.path(namespace),
                query={**query, "resourceVersion": version, "timeoutSeconds": ceil(seconds)},
                verb="watch",
                resource=resource.plural,
            )
            return self._transport.open_stream(request, idle_seconds=seconds + _WATCH_GRACE_SECONDS)

        return self._with_resource(kind, open_stream)

    def _list_pages(
        self, kind: Kind, namespace: str | None, labels: str | None, fields: str | None, page_objects: int | None
    ) -> tuple[Objects, str]:
        items: Objects = []
        query: dict[str, Any] = {"labelSelector": labels, "fieldSelector": fields, "limit": page_objects}
        while True:
            page = self._call_kind("GET", kind, None, namespace, query=query, verb="list")
            for item in page.get("items") or ():  # items of built-in kinds come without these two
                item.setdefault("apiVersion", kind.api_version)
                item.setdefault("kind", kind.kind)
                items.append(item)
            query["continue"] = page["metadata"].get("continue") or None
            if query["continue"] is None:
                return items, page["metadata"]["resourceVersion"]

    def _decode(self, request: Request, answer: bytes) -> Any:
        try:
            return json.loads(answer)
        except ValueError as error:
            raise ApiError(f"{self.access.server} answered {request} with something else than JSON") from error
