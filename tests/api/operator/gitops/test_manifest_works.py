"""What the fleet's hub demands of the resource on a site (seed-image-and-gitops.md F.3), one test for each point."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.kube import Object, errors
from agent.velero.apply_label import label_patch, parse_apply_label
from tests.api.operator.gitops.conftest import MakeSite, read_status
from tests.api.operator.gitops.driving import act, is_stage
from tests.gitops.hub import IBU, RuledClient
from tests.gitops.promises import check_versions
from tests.gitops.stock import read_source_crs
from tests.gitops.work_agent import (
    ACTIONS,
    OWNER,
    apply_manifest,
    feedback_path,
    make_manifest,
    read_feedback,
    withdraw_work,
)
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.following import Follower
from tools.recorded_runs.site import Site

SEED = {"seedImageRef": {"version": "4.15.3", "image": "quay.io/org/seed:4.15.3"}}
CLEANUP_DONE = "lca.openshift.io/manual-cleanup-done"
UNDEPLOY_FAILS = {"faults": [{"match": "ostree admin undeploy", "rc": 1, "output": "error: no"}]}
NOT_PERMITTED = (
    "the stage transition is not permitted. Please refer to status.validNextStages for valid transitions. "
    "If status.validNextStages is not present, it indicates that no transitions are currently allowed"
)


FORBIDDEN = {
    "idle": ["Upgrade", "Rollback"],
    "prepared": ["Rollback"],
    "upgrade-failed": ["Prep", "Rollback"],
    "upgraded": ["Prep"],
    "abort-failed": ["Prep", "Upgrade", "Rollback"],
}


def make_slow(*states: str) -> list[Any]:
    return [pytest.param(state, marks=pytest.mark.slow) for state in states]


def apply_again(site: Site, hub: RuledClient, manifest: Object) -> tuple[Object, Object]:
    """Apply and wait until the operator has looked; the object before and after."""
    before = hub.get(IBU, "upgrade")
    apply_manifest(hub, manifest)
    site.settle()
    return before, hub.get(IBU, "upgrade")


def read_stage(obj: Object) -> str:
    return str(obj["spec"]["stage"])


def test_point_1_changes_of_metadata_start_nothing(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("prepared")
    commands = site.host.commands()
    spec = hub_client.get(IBU, "upgrade")["spec"]
    manifest = make_manifest("Prep", spec, {"lca.openshift.io/target-ocp-version-manifest-count": "0"})
    manifest["metadata"]["labels"] = {"fleet": "one"}
    before, after = apply_again(site, hub_client, manifest)
    assert after["metadata"]["ownerReferences"] == [OWNER]
    withdraw_work(hub_client, manifest)
    site.settle()
    after = hub_client.get(IBU, "upgrade")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert not after["metadata"].get("ownerReferences")
    assert after["metadata"]["labels"] == {"fleet": "one"}
    assert after["status"] == before["status"]
    assert site.host.commands() == commands


@pytest.mark.parametrize(
    "state", ["prepared", *make_slow("idle", "upgrade-failed", "upgraded", "rolled-back", "abort-failed")]
)
def test_point_2_the_same_stage_again_changes_nothing(make_site: MakeSite, hub_client: RuledClient, state: str) -> None:
    site = make_site(state)
    live = hub_client.get(IBU, "upgrade")
    before, after = apply_again(site, hub_client, make_manifest(read_stage(live), live["spec"]))
    assert after["status"] == before["status"]
    assert after["spec"] == before["spec"]


def test_point_2_the_same_stage_again_lets_a_running_job_go_on(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("idle")
    manifest = make_manifest("Prep", SEED)
    apply_manifest(hub_client, manifest)
    job = site.cluster.find("Job", "lca-prep-stateroot-setup")
    site.settle()
    before, after = apply_again(site, hub_client, manifest)
    assert after["status"] == before["status"]
    assert site.cluster.find("Job", "lca-prep-stateroot-setup")["metadata"]["uid"] == job["metadata"]["uid"]


def test_point_3_nulls_of_the_hub_are_accepted(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("idle")
    manifest = make_manifest("Idle", {"seedImageRef": {}})
    assert (manifest["metadata"]["creationTimestamp"], manifest["status"]) == (
        None,
        {"rollbackAvailabilityExpiration": None},
    )
    _, updated = apply_again(site, hub_client, manifest)
    assert updated["metadata"]["creationTimestamp"]
    site.operator.kill()
    site.cluster.client.delete(IBU, "upgrade")
    assert apply_manifest(hub_client, manifest)["metadata"]["generation"] == 1
    site.start_operator()
    assert read_feedback(hub_client.get(IBU, "upgrade"), feedback_path("Abort")) == "True"


@pytest.mark.slow
def test_points_4_and_5_conditions_are_what_filters_expect(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("prepared")
    with Follower(site.cluster.client) as follower:
        act(site, "host command fault", **UNDEPLOY_FAILS)
        apply_manifest(hub_client, make_manifest("Idle", SEED))
        follower.wait_until(lambda obj: "AbortFailed" in json.dumps(obj["status"]))
        assert read_feedback(follower.objects[-1], feedback_path("Abort")) == "False"
        act(site, "host command fault removed")
        apply_manifest(hub_client, make_manifest("Idle", SEED, {CLEANUP_DONE: ""}))
        is_stage(follower, "Idle")
    check_versions(follower.objects)
    accepted = [obj for obj in follower.objects if read_stage(obj) == "Idle"]
    assert {read_feedback(obj, feedback_path("Abort")) for obj in accepted[:-1]} == {"False"}


@pytest.mark.parametrize("state", ["idle", *make_slow("prepared", "upgrade-failed", "upgraded", "abort-failed")])
def test_point_6_forbidden_stage_is_refused_by_the_api(
    make_site: MakeSite, hub_client: RuledClient, state: str
) -> None:
    site = make_site(state)
    before = hub_client.get(IBU, "upgrade")
    for stage in FORBIDDEN[state]:
        with pytest.raises(errors.Invalid, match=NOT_PERMITTED):
            apply_manifest(hub_client, make_manifest(stage, before["spec"]))
    site.settle()
    assert hub_client.get(IBU, "upgrade") == before


@pytest.mark.slow
def test_point_7_annotation_that_comes_back_is_taken_once(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("abort-failed")
    spec = hub_client.get(IBU, "upgrade")["spec"]
    manifest = make_manifest("Idle", spec, {CLEANUP_DONE: ""})
    with Follower(site.cluster.client) as follower:
        apply_manifest(hub_client, manifest)
        is_stage(follower, "Idle")
    site.settle()
    assert CLEANUP_DONE not in (hub_client.get(IBU, "upgrade")["metadata"].get("annotations") or {})
    for _ in range(2):
        before, after = apply_again(site, hub_client, manifest)
        assert read_status(after) == read_status(before)
        assert CLEANUP_DONE in after["metadata"]["annotations"]


def test_point_8_restored_resource_has_no_owner_of_the_old_cluster(
    make_site: MakeSite, hub_client: RuledClient
) -> None:
    site = make_site("upgrade-failed")
    manifest = make_manifest("Upgrade", hub_client.get(IBU, "upgrade")["spec"])
    apply_manifest(hub_client, manifest)
    before = hub_client.get(IBU, "upgrade")
    assert before["metadata"]["ownerReferences"] == [OWNER]
    with Follower(site.cluster.client) as follower:
        site.cluster.client.delete(IBU, "upgrade")  # in progress, so it is saved and comes back
        after = follower.wait_until(
            lambda obj: obj["metadata"]["uid"] != before["metadata"]["uid"] and bool(obj.get("status"))
        )
    assert not after["metadata"].get("ownerReferences")
    assert read_status(after) == read_status(before)


def test_point_9_role_of_the_hub_is_in_the_platform_backup(recorded_cluster: RecordedCluster) -> None:
    backup, _ = read_source_crs("PlatformBackupRestore")
    targets = parse_apply_label(backup["metadata"]["annotations"]["lca.openshift.io/apply-label"])
    (role,) = [target for target in targets if target.name == "open-cluster-management:klusterlet-work:ibu-role"]
    rules = [{"apiGroups": ["lca.openshift.io"], "resources": ["imagebasedupgrades"], "verbs": ["*"]}]
    body: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": role.name},
    }
    client = recorded_cluster.client
    made = client.create({**body, "rules": rules})
    try:
        patched = client.request(
            "PATCH", role.path, body=label_patch("acm-klusterlet"), content_type="application/merge-patch+json"
        )
        assert patched["metadata"]["labels"] == {"lca.openshift.io/backup": "acm-klusterlet"}
    finally:
        recorded_cluster.remove(made)


@pytest.mark.slow
def test_feedback_is_what_the_real_jsonpath_finds(make_site: MakeSite, hub_client: RuledClient) -> None:
    site = make_site("upgraded")
    live = hub_client.get(IBU, "upgrade")
    for path in {feedback_path(action, field) for action in ACTIONS for field in ("status", "message")}:
        printed = site.cluster.kubectl("get", "ibu", "upgrade", "-o", f"jsonpath={{{path}}}")
        assert printed == (read_feedback(live, path) or ""), path
