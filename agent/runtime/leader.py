"""Leader election by a Lease, as other controllers do it (ibu-api.md 10.4)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.kube import Client, Kind, Object, errors
from agent.runtime.process import StopRequest

log = logging.getLogger(__name__)

LEASE = Kind("coordination.k8s.io", "v1", "Lease")


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a lease lasts unless renewed, how long a leader tries to renew it, and the pause between tries."""

    lease_seconds: float = 270.0
    renew_seconds: float = 240.0
    retry_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A lease as it was seen, and when that was (monotonic seconds): clocks of other machines are not trusted."""

    spec: dict[str, Any]
    at: float


def may_take(identity: str, observed: Observation | None, now: float) -> bool:
    """Tell whether `identity` may take the lease: it is absent, released, its own, or was not renewed in time."""
    if observed is None:
        return True
    holder = observed.spec.get("holderIdentity") or ""
    return holder in ("", identity) or now - observed.at >= float(observed.spec.get("leaseDurationSeconds") or 0)


def next_spec(identity: str, observed: Observation | None, lease_seconds: float, now: datetime) -> dict[str, Any]:
    """Return the lease's spec after `identity` took or renewed it."""
    before = observed.spec if observed else {}
    renewed = before.get("holderIdentity") == identity
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(lease_seconds),
        "acquireTime": before.get("acquireTime") if renewed else stamp,
        "renewTime": stamp,
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if renewed or not before else 1),
    }


class LeaderElection:
    """Holds the Lease `namespace/name` as `identity`; a part of the process once it was acquired.

    Losing the lease ends the process with exit code 1: another one leads now, and two must not work at the same time.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        identity: str,
        request: StopRequest,
        *,
        times: LeaseTimes | None = None,
        on_change: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._client, self._name, self._namespace, self._identity = client, name, namespace, identity
        self._request = request
        self._times = times or LeaseTimes()
        self._on_change = on_change
        self._observed: Observation | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="leader-election", daemon=True)

    def acquire(self) -> bool:
        """Wait until this process leads; False when it is to end before."""
        log.info("waiting to lead", extra={"lease": self._name, "identity": self._identity})
        self._on_change(False)
        while not self._request.is_set():
            if self._try():
                self._on_change(True)
                log.info("leading", extra={"lease": self._name})
                return True
            self._request.wait(self._times.retry_seconds)
        return False

    def start(self) -> None:
        """Keep the lease from now on."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the lease is being renewed."""
        return self._thread.is_alive()

    def stop(self, timeout_seconds: float) -> bool:
        """Release the lease, so that a successor need not wait."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        if self._observed is not None and self._observed.spec.get("holderIdentity") == self._identity:
            self._release()
        return not self._thread.is_alive()

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._stopped.wait(self._times.retry_seconds):
            if self._try():
                renewed = time.monotonic()
            elif time.monotonic() - renewed + self._times.retry_seconds > self._times.renew_seconds:
                self._on_change(False)
                self._request.set("the leader lease could not be renewed", exit_code=1)
                return

    def _try(self) -> bool:
        """Take or renew the lease once; False when another holds it or the API server fails."""
        try:
            lease = self._client.find(LEASE, self._name, self._namespace)
            self._observe(lease)
            if not may_take(self._identity, self._observed, time.monotonic()):
                return False
            spec = next_spec(self._identity, self._observed, self._times.lease_seconds, datetime.now(UTC))
            self._observe(self._write(lease, spec))
        except errors.ApiError as error:
            log.warning("could not take or renew the lease", extra={"lease": self._name, "reason": str(error)})
            return False
        return True

    def _observe(self, lease: Object | None) -> None:
        spec = (lease or {}).get("spec")
        if spec is None:
            self._observed = None
        elif self._observed is None or self._observed.spec != spec:
            self._observed = Observation(spec, time.monotonic())

    def _write(self, lease: Object | None, spec: dict[str, Any]) -> Object:
        if lease is not None:
            return self._client.update({**lease, "spec": spec})
        metadata = {"name": self._name, "namespace": self._namespace}
        return self._client.create(
            {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
        )

    def _release(self) -> None:
        try:
            lease = self._client.get(LEASE, self._name, self._namespace)
            if lease["spec"].get("holderIdentity") == self._identity:
                self._client.update(
                    {**lease, "spec": {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}}
                )
        except errors.ApiError as error:
            log.warning("could not release the lease", extra={"lease": self._name, "reason": str(error)})
        self._on_change(False)
