"""Mirrors and catalogs of the seed's cluster, and the registry of its release (post-pivot-and-rollback.md 5.3)."""

from __future__ import annotations

import contextlib
from typing import Any

from agent.kube import Client, Kind, Object, errors
from agent.node.postpivot.api import tell_patience_seconds
from agent.node.postpivot.run import PostPivot, StepError
from agent.node.waiting import Retrier
from seeds.cluster import CONTENT_SOURCE_POLICY, DIGEST_MIRROR_SET, ClusterFactsError, list_mirror_sources
from seeds.registry import needs_override, override_registry

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
CATALOG_SOURCE = Kind("operators.coreos.com", "v1alpha1", "CatalogSource")
DEPLOYMENT = Kind("apps", "v1", "Deployment")
VERSION_OPERATOR = ("cluster-version-operator", "openshift-cluster-version")
RELEASE_ARGUMENT = "--release-image"
_STRATEGIC_MERGE = "application/strategic-merge-patch+json"


def delete_old_mirrors(run: PostPivot) -> None:
    """Delete all mirrors by digest and all catalogs; the site's own come with the manifests."""
    client, retrier = run.client, run.make_retrier(tell_patience_seconds)
    for kind, crd, short in (
        (CONTENT_SOURCE_POLICY, "imagecontentsourcepolicies.operator.openshift.io", "icsps"),
        (DIGEST_MIRROR_SET, "imagedigestmirrorsets.config.openshift.io", "idms"),
    ):
        try:
            if _is_known(client, crd, retrier):
                retrier.call(lambda kind=kind: client.request("DELETE", client.resource(kind).path()))  # type: ignore[misc]
        except errors.ApiError as error:
            raise StepError(f"failed to delete all {short} {error}") from error
    if _is_known(client, "catalogsources.operators.coreos.com", retrier):
        _delete_catalogs(client, retrier)


def _is_known(client: Client, crd: str, retrier: Retrier) -> bool:
    """Say whether the release has this kind, even if the API server does not serve it yet."""
    return retrier.call(lambda: client.find(CRD, crd)) is not None


def _delete_catalogs(client: Client, retrier: Retrier) -> None:
    try:
        catalogs = retrier.call(lambda: client.list(CATALOG_SOURCE))
    except errors.ApiError as error:
        raise StepError(f"failed to list all catalogueSources {error}") from error
    for catalog in catalogs:
        name, namespace = catalog["metadata"]["name"], catalog["metadata"]["namespace"]
        with contextlib.suppress(errors.NotFound):
            retrier.call(lambda name=name, namespace=namespace: client.delete(CATALOG_SOURCE, name, namespace))  # type: ignore[misc]


def change_release_registry(run: PostPivot) -> None:
    """Let the cluster-version-operator use the site's registry where the seed's can not be reached."""
    client, retrier = run.client, run.make_retrier(tell_patience_seconds)
    old, new = run.seed.release_registry, run.site.release_registry
    try:
        sources = retrier.call(lambda: list_mirror_sources(client))
    except ClusterFactsError as error:
        raise StepError(str(error)) from error
    is_wanted = needs_override(
        cluster_sources=sources, seed_has_mirror=run.seed.mirror_registry_configured, seed_registry=old
    )
    if not is_wanted or old == new:
        return

    def patch() -> None:
        deployment = client.get(DEPLOYMENT, *VERSION_OPERATOR)
        change = make_registry_patch(deployment, old, new)
        path = client.resource(DEPLOYMENT).path(VERSION_OPERATOR[1], VERSION_OPERATOR[0])
        client.request("PATCH", path, body=change, content_type=_STRATEGIC_MERGE)

    retrier.call(patch)


def make_registry_patch(deployment: Object, seed_registry: str, site_registry: str) -> Object:
    """Return the strategic merge patch that moves the first container, and its release, to `site_registry`."""
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    (image,) = override_registry([container["image"]], seed_registry=seed_registry, cluster_registry=site_registry)
    arguments = [
        f"{RELEASE_ARGUMENT}={image}" if argument.startswith(RELEASE_ARGUMENT) else argument
        for argument in container.get("args") or ()
    ]
    changed = {"name": container["name"], "image": image, "args": arguments}
    return {"spec": {"template": {"spec": {"containers": [changed]}}}}
