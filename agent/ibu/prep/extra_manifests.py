"""Checks the manifests of `spec.extraManifests` by dry runs on the cluster (prep.md 4.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.ibu.itineraries import StageContext
from agent.ibu.prep.findings import Findings
from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import ApplyError, WaveError, apply_manifest, decode_config_map, group_by_wave

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")
DEFAULT_NAMESPACE = "default"
_DISALLOWED = {
    Kind("machineconfiguration.openshift.io", "v1", "MachineConfig"),
    Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion"),
    Kind("operators.coreos.com", "v1alpha1", "InstallPlan"),
    Kind("operators.coreos.com", "v1alpha1", "Subscription"),
}


def check_extra_manifests(context: StageContext) -> Findings:
    """Return problems that stop Prep and warnings about what the cluster would refuse as it is now.

    Nothing is created, also no namespace: objects for a namespace that is only in the manifests are tried in `default`.
    Raises transient ApiErrors.
    """
    findings = Findings()
    objects = _read_objects(context, findings)
    try:
        ordered = [obj for group in group_by_wave(objects) for obj in group]
    except WaveError as error:
        return Findings([*findings.problems, f"failed to sort and group manifests: {error}"])
    with context.ports.connect_admin() as admin:
        trial = _Trial(admin, {ns["metadata"]["name"] for ns in admin.list(NAMESPACE)})
        for obj in ordered:
            trial.check(obj, findings)
    return findings


def _read_objects(context: StageContext, findings: Findings) -> list[Object]:
    objects: list[Object] = []
    for reference in dict.fromkeys(context.cr.spec.extra_manifests):
        try:
            config_map = context.ports.client.get(CONFIG_MAP, reference.name, reference.namespace)
        except errors.NotFound as error:
            findings.problems.append(
                f"the extraManifests configMap is not found, error: failed to get configMap {error}. "
                "Please create the configMap."
            )
        except errors.Transient:
            raise
        except errors.ApiError as error:
            text = f"failed to get configMaps to export extraManifest to dir: failed to get configMap {error}"
            findings.problems.append(text)
        else:
            decoded, problems = decode_config_map(config_map)
            objects += decoded
            findings.problems += problems
    return objects


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
        if not name or not isinstance(name, str):
            findings.problems.append(f"{kind.kind} resource name is empty")
        elif kind in _DISALLOWED:
            findings.problems.append(f"{label} in extramanifests is not allowed")
        elif kind == NAMESPACE:
            self.added.add(name)
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
