"""Reads the objects that the health checks look at and runs the checks in their two groups (prep.md 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial

from agent.ibu.health import checks, table
from agent.ibu.health.table import Check, is_single_node, judge_check, reduce_object
from agent.kube import Client
from agent.kube.errors import ApiError
from agent.runtime.followers import Subject
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE


class Scope(Enum):
    """Which checks are run."""

    MANDATORY = "mandatory"
    """The platform and OADP: without them nothing can be applied or restored."""
    DEFERRED = "deferred"
    """Node, operators and certificates: they may need what is applied and restored."""
    FULL = "full"
    """Both, the second only when the first passes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed check: its text, and what to watch for its end; None when it could not be read or is no object's."""

    text: str
    subject: Subject | None = None


def find_health_failure(client: Client) -> str | None:
    """Return the text of all failed checks, or None when the cluster is stable."""
    failures = survey(client, datetime.now(UTC), Scope.FULL)
    return checks.format_failures([failure.text for failure in failures]) if failures else None


def survey(client: Client, now: datetime, scope: Scope, *, required: bool = False) -> list[Failure]:
    """Return what is not healthy; `required`: a cluster that shows no operators, pools or nodes is not.

    An object that can not be read is a failed check: the caller waits and looks again.
    """
    surveyor = Surveyor(client, now, required=required)
    failures = list(surveyor.check_mandatory()) if scope is not Scope.DEFERRED else []
    return failures or (list(surveyor.check_deferred()) if scope is not Scope.MANDATORY else [])


@dataclass(frozen=True, slots=True)
class Surveyor:
    """One look at the cluster."""

    client: Client
    now: datetime
    required: bool

    def check_mandatory(self) -> Iterator[Failure]:
        """ClusterOperators and pools; SR-IOV and OADP once the operators are ready."""
        operators = list(self._check(table.CLUSTER_OPERATORS))
        yield from operators
        yield from self._check(table.MACHINE_CONFIG_POOLS)
        if not operators:
            yield from self._check_if_served("failed to verify sriov CRD exists", table.SRIOV_STATES)
            yield from self._check_oadp()

    def check_deferred(self) -> Iterator[Failure]:
        """Node, installed operators, certificate requests."""
        try:
            if is_single_node(self.client):
                yield from self._check(table.NODES)
        except ApiError as error:
            yield Failure(f"failed to get infrastucture CR: {error}")
        yield from self._check(table.SERVICE_VERSIONS)
        yield from self._check(table.SIGNING_REQUESTS)

    def _check_oadp(self) -> Iterator[Failure]:
        """The storage locations only matter where OADP is configured and works."""
        try:
            if not self.client.serves(DATA_PROTECTION):
                return
        except ApiError as error:
            yield Failure(f"failed to check DataProtectionApplication CRD: {error}")
            return
        try:
            applications = self.client.list(DATA_PROTECTION, OADP_NAMESPACE)
        except ApiError as error:
            yield Failure(f"{table.DATA_PROTECTIONS.reading}: {error}")
            return
        if failure := table.DATA_PROTECTIONS.judge(applications, self.now):
            yield self._fail(table.DATA_PROTECTIONS, failure)
        elif applications:
            yield from self._check(table.STORAGE_LOCATIONS)

    def _check_if_served(self, reading: str, check: Check) -> Iterator[Failure]:
        try:
            served = self.client.serves(check.kind)
        except ApiError as error:
            yield Failure(f"{reading}: {error}")
            return
        if served:
            yield from self._check(check)

    def _check(self, check: Check) -> Iterator[Failure]:
        try:
            objects = self.client.list(check.kind, check.namespace)
        except ApiError as error:
            yield Failure(f"{check.reading}: {error}")
            return
        if failure := judge_check(check, objects, self.now, required=self.required):
            yield self._fail(check, failure)

    def _fail(self, check: Check, failure: str) -> Failure:
        judge = partial(judge_check, check, required=self.required)
        return Failure(failure, Subject(check.kind, check.namespace, reduce_object, judge, failure))
