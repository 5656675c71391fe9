"""Checks the manifests of `spec.extraManifests` by dry runs on the cluster (prep.md 4.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.ibu.itineraries import StageContext
from agent.ibu.manifests.config_maps import find_fault, read_extra_manifests
from agent.ibu.prep.findings import Findings
from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import ApplyError, WaveError, apply_manifest, group_by_wave

NAMESPACE = Kind("", "v1", "Namespace")
DEFAULT_NAMESPACE = "default"


def check_extra_manifests(context: StageContext) -> Findings:
    """Return problems that stop Prep and warnings about what the cluster would refuse as it is now.

    Nothing is created, also no namespace: objects for a namespace that is only in the manifests are tried in `default`.
    Raises transient ApiErrors.
    """
    found = read_extra_manifests(context.ports.client, context.cr.spec.extra_manifests)
    findings = Findings([*found.unavailable, *found.undecodable])
    try:
        ordered = [obj for group in group_by_wave(found.objects) for obj in group]
    except WaveError as error:
        return Findings([*findings.problems, f"failed to sort and group manifests: {error}"])
    with context.ports.connect_admin() as admin:
        trial = _Trial(admin, {ns["metadata"]["name"] for ns in admin.list(NAMESPACE)})
        for obj in ordered:
            trial.check(obj, findings)
    return findings


@dataclass(slots=True)
class _Trial:
    """One run over the manifests, in the order in which they will be applied."""

    admin: Client
    existing: set[str]
    added: set[str] = field(default_factory=set)

    def check(self, obj: Object, findings: Findings) -> None:
        kind = Kind.of(obj)
        metadata = obj.get("metadata") or {}
        name, namespace = metadata.get("name"), metadata.get("namespace") or ""
        label = f"{kind.kind}[{name}]"
        if problem := find_fault(obj):
            findings.problems.append(problem)
        elif kind == NAMESPACE:
            self.added.add(str(name))
        elif namespace and namespace not in {DEFAULT_NAMESPACE, *self.existing, *self.added}:
            findings.warnings.append(
                f"{label} - namespace {namespace} not found on cluster or not added in configmap in right order"
            )
        else:
            self._try(obj, label, namespace, findings)

    def _try(self, obj: Object, label: str, namespace: str, findings: Findings) -> None:
        try:
            if namespace in self.added - self.existing:
                self._try_elsewhere(obj)
            else:
                apply_manifest(self.admin, obj, dry_run=True)
        except ApplyError as error:
            match error.cause:
                case errors.Transient():
                    raise error.cause from error
                case errors.KindNotServed():
                    findings.warnings.append(f"{label} - CRD not deployed on cluster")
                case cause if cause and _is_refusal(cause):
                    findings.warnings.append(f"{label} - dryrun failed in namespace {namespace}: {error}")
                case _:
                    findings.problems.append(f"failed to validate manifest with dryrun: {error}")

    def _try_elsewhere(self, obj: Object) -> None:
        """Try a new object of a namespace that does not exist yet where one does: the schema is the same."""
        moved = {**obj, "metadata": {**obj["metadata"], "namespace": DEFAULT_NAMESPACE}}
        try:
            self.admin.create(moved, dry_run=True)
        except errors.AlreadyExists:
            return
        except errors.ApiError as error:
            text = f"failed to create manifest {obj['kind']} called {obj['metadata']['name']}: {error}"
            raise ApplyError(text, error) from error


def _is_refusal(error: errors.ApiError) -> bool:
    """Tell whether the server looked at the object and said no; a webhook may say so with any code."""
    denied = "admission webhook" in str(error) and "denied the request" in str(error)
    return denied or isinstance(error, errors.Invalid | errors.BadRequest)
