"""Manifests that the site's policies carry for the release: counted by Prep, brought to the new release by Upgrade."""

from __future__ import annotations

import json

import pytest

from agent.kube import Object
from tests.api.operator.gitops.conftest import MakeSite
from tests.api.operator.gitops.driving import is_stage, play_reboot
from tests.gitops.hub import IBU, RuledClient
from tests.gitops.stock import bind_policy, make_policy
from tests.gitops.work_agent import apply_manifest, make_manifest
from tools.recorded_runs.following import Follower
from tools.recorded_runs.site import Site

COUNT = "lca.openshift.io/target-ocp-version-manifest-count"
SEED = {"seedImageRef": {"version": "4.15.3", "image": "quay.io/org/seed:4.15.3"}}


def make_config_map(name: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": {"lca.openshift.io/target-ocp-version": "4.15"}},
        "data": data,
    }


def bind(name: str, wave: str, **manifests: Object) -> Object:
    """A bound policy; the keys are compliance types."""
    templates = [{"complianceType": kind, "objectDefinition": manifest} for kind, manifest in manifests.items()]
    return bind_policy(make_policy(name, templates), "default", wave)


def make_policies() -> list[Object]:
    return [
        bind("settings", "10", musthave=make_config_map("merged", new="2"), mustnothave=make_config_map("absent")),
        bind("early", "2", mustonlyhave=make_config_map("replaced", new="2")),
    ]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site("prepared", extra_crds=["policies"])
    for policy in make_policies():
        site.cluster.apply(policy)
    return site


def read_message(obj: Object, type_: str) -> str:
    return next(str(c["message"]) for c in obj["status"]["conditions"] if c["type"] == type_)


@pytest.mark.parametrize(
    ("count", "status", "message"),
    [
        pytest.param("2", "True", "Successfully launched a new job for stateroot setup", id="all-there"),
        pytest.param(
            "3",
            "False",
            "failed to validate IBU spec: failed to validate manifests from policies: The labeled manifests count "
            "found in policies 2 does not match the expected manifests count 3",
            id="one-missing",
        ),
    ],
)
def test_prep_counts_what_the_policies_carry(
    make_site: MakeSite,
    hub_client: RuledClient,
    count: str,
    status: str,
    message: str,
) -> None:
    site = make_site("idle", extra_crds=["policies"])
    for policy in make_policies():
        site.cluster.apply(policy)
    with Follower(site.cluster.client) as follower:
        apply_manifest(hub_client, make_manifest("Prep", SEED, {COUNT: count}))
        found = follower.wait_until(lambda obj: "job" in json.dumps(obj) or "count" in json.dumps(obj["status"]))
    assert read_message(found, "PrepInProgress").startswith(message)
    assert next(c["status"] for c in found["status"]["conditions"] if c["type"] == "PrepInProgress") == status


@pytest.mark.slow
def test_upgrade_merges_and_replaces_what_the_policies_carry(site: Site, hub_client: RuledClient) -> None:
    apply_manifest(hub_client, make_manifest("Upgrade", hub_client.get(IBU, "upgrade")["spec"], {COUNT: "2"}))
    of_the_seed = [make_config_map(name, old="1") for name in ("merged", "replaced", "absent")]
    with Follower(site.cluster.client) as follower:
        play_reboot(site, "rhcos_4.15.3", "4.15.3", of_the_seed)
        is_stage(follower, "UpgradeCompleted")
    found = {name: site.cluster.find("ConfigMap", name) for name in ("merged", "replaced", "absent")}
    assert {name: obj["data"] for name, obj in found.items()} == {
        "merged": {"old": "1", "new": "2"},
        "replaced": {"new": "2"},
        "absent": {"old": "1"},
    }
    assert not any("annotations" in obj["metadata"] for obj in found.values())
    assert not (site.host.var("rhcos_4.15.3") / "opt/policy-manifests").exists()
