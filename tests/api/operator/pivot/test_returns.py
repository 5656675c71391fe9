"""Boots that nobody asked for, in every direction: the resource tells the truth each time (docs/reliability.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.kube import Client
from tests.api.operator.pivot.cluster import CLUSTER_OPERATOR, HEALTHY
from tests.api.operator.pivot.node import NEW, OLD
from tests.api.operator.pivot.site import (
    IBU,
    PREPARED,
    ROLLED_BACK,
    SEED,
    UNCONTROLLED,
    UPGRADED,
    UPGRADING,
    Site,
    get_stages,
    make_upgrade,
    wait_until,
)
from tests.api.operator.pivot.test_post_pivot import break_operators
from tests.api.operator.pivot.test_rollback import HINT, RETRY
from tools.operator_process import read_conditions

AGAIN = "the node was rebooted for the rollback and is booted into rhcos_4.16.1 again: look at the boot log of the "


def complete(site: Site) -> None:
    site.prepare_pivot()
    assert site.boot() == NEW
    site.wait_conditions(*UPGRADED)


def settle(site: Site) -> dict[str, Any]:
    """The resource once the operator has looked at it and has nothing more to do."""
    site.operator.wait_for(lambda record: record["message"].startswith("run: rpm-ostree status"))
    site.node.mark_change()
    site.annotate(**{"lca.openshift.io/trigger-reconcile": "x"})
    looked = [record for record in site.operator.log if record["message"].startswith("run: rpm-ostree status")]
    site.operator.wait_for(lambda record: record["message"].startswith("run: rpm-ostree") and record not in looked)
    return site.read()


def test_back_and_forth_after_the_upgrade(site: Site) -> None:
    """Upgraded, the original release by hand, the new one, the original one again."""
    complete(site)
    site.boot(OLD)
    back = site.wait_conditions(*UNCONTROLLED)
    assert get_stages(back) == ("Idle",)
    site.boot(NEW)
    again = site.wait_conditions(*UPGRADED)
    assert get_stages(again) == ("Idle", "Rollback")
    site.boot(OLD)
    assert tuple(read_conditions(settle(site))) == UNCONTROLLED
    assert site.node.count_reboots() == 0
    assert site.node.deployments() == [NEW, OLD]


def test_rollback_020_uncontrolled_return_is_aborted(site: Site) -> None:
    site.prepare_pivot()
    site.node.booted = NEW
    site.boot(OLD)
    site.wait_conditions(*UNCONTROLLED)
    site.want("Idle")
    idle = site.wait_conditions("Idle=True/Idle Idle")
    assert get_stages(idle) == ("Prep",)
    assert "Idle=False/Aborting Aborting" in site.list_shown()
    assert site.node.deployments() == [OLD]
    assert not site.node.var(NEW).exists()
    assert not (site.node.var(OLD) / "lib/lca/ibu.json").exists()


def test_back_and_forth_during_the_upgrade(site: Site, client: Client) -> None:
    """The upgrade goes on where it was, and what is complete in the end is what the next boot starts."""
    break_operators(client, "etcd")
    site.prepare_pivot()
    site.boot()
    site.wait_last("UpgradeInProgress=True/InProgress Waiting for system to stabilize")
    site.boot(OLD)
    site.wait_conditions(*UNCONTROLLED)
    site.node.set_default(OLD)
    site.boot(NEW)
    site.wait_last("UpgradeInProgress=True/InProgress Waiting for system to stabilize")
    client.patch_merge(CLUSTER_OPERATOR, "etcd", {"status": HEALTHY}, subresource="status")
    site.wait_conditions(*UPGRADED)
    assert site.node.deployments() == [NEW, OLD]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_return_is_noticed_without_the_saved_resource(site: Site, damage: str) -> None:
    """The original release remembers in two places that it was left; one is enough."""
    site.prepare_pivot()
    saved = site.node.var(OLD) / "lib/lca/ibu.json"
    saved.unlink() if damage == "missing" else saved.write_bytes(b"\0" * 100)
    site.node.booted = NEW
    assert site.boot(OLD) == OLD
    back = site.wait_conditions(*UNCONTROLLED)
    assert get_stages(back) == ("Idle",)
    assert site.node.count_reboots() == 0


def test_return_long_ago_is_not_held_against_the_next_upgrade(site: Site) -> None:
    site.node.boot(OLD)
    request = {"bootId": "old", "rationale": "upgrade", "requestedAt": "2025-01-01T00:00:00+00:00", "accepted": True}
    site.node.write(OLD, "lib/lca/reboot_requested.json", request)
    site.put(make_upgrade(UPGRADING))
    site.start()
    site.operator.wait_for(lambda record: record["message"].startswith("run: rpm-ostree status"))
    assert "Uncontrolled rollback" not in str(read_conditions(settle(site)))


def test_power_loss_before_the_default_was_switched_lets_the_upgrade_go_on(site: Site) -> None:
    """Both copies are saved, nothing else was done: the original release was never left."""
    site.prepare_pivot()
    (site.node.var(OLD) / "lib/lca/reboot_requested.json").unlink()
    site.node.boot(OLD)
    site.node.set_default(OLD)
    site.node.booted = NEW
    site.boot()
    site.operator.wait_for_message("the reboot into the new release never came: the upgrade goes on")
    site.wait(lambda obj: tuple(read_conditions(obj)) == UPGRADING)
    assert not any("Uncontrolled" in text for text in site.list_shown())


@pytest.mark.parametrize("trace", ["asked", "default", "taken", "begun"])
def test_power_loss_when_the_new_release_may_have_run_counts_as_a_return(site: Site, trace: str) -> None:
    site.prepare_pivot()
    site.node.boot(OLD)
    site.node.set_default(OLD)
    mark = site.node.var(OLD) / "lib/lca/reboot_requested.json"
    if trace != "asked":
        mark.unlink()
    if trace == "default":
        site.node.set_default(NEW)
    if trace == "taken":
        (site.node.var(NEW) / "lib/lca/ibu.json").unlink()
    if trace == "begun":
        site.node.write(NEW, "opt/openshift/recert.done", "")
    site.node.booted = NEW
    site.boot(OLD)
    site.wait_conditions(*UNCONTROLLED)


def test_new_release_booted_before_the_upgrade_changes_nothing(site: Site) -> None:
    """It waits for its configuration, without a cluster; whoever boots the original one again finds Prep complete."""
    prepared = make_upgrade(PREPARED, "Prep", ("Idle", "Upgrade"))
    site.node.boot(OLD)
    site.put(prepared)
    site.node.boot(NEW)
    site.node.booted = OLD
    site.boot(OLD)
    assert tuple(read_conditions(settle(site))) == PREPARED
    assert get_stages(site.read()) == ("Idle", "Upgrade")


def test_rollback_that_ends_in_the_new_release_again_fails_and_can_be_repeated(site: Site) -> None:
    complete(site)
    site.want("Rollback")
    site.wait_reboot()
    assert site.boot(NEW) == NEW
    failed = site.wait_last(f"RollbackInProgress=False/Failed {AGAIN}")
    assert read_conditions(failed)[-1].endswith(HINT)
    assert site.node.count_reboots() == 1
    site.annotate(**{RETRY: ""})
    site.wait_reboot()
    assert site.boot() == OLD
    site.wait_conditions(*ROLLED_BACK)


def test_new_release_by_hand_after_the_rollback_says_that_it_is_booted_again(site: Site) -> None:
    complete(site)
    site.want("Rollback")
    site.wait_reboot()
    site.boot()
    site.wait_conditions(*ROLLED_BACK)
    site.boot(NEW)
    site.wait_last(f"RollbackInProgress=False/Failed {AGAIN}")
    site.boot(OLD)
    assert tuple(read_conditions(settle(site))) == ROLLED_BACK
    assert site.node.deployments() == [OLD, NEW]


def test_original_release_by_hand_after_a_failed_rollback_completes_it(site: Site) -> None:
    complete(site)
    with site.broken("systemd-run", "echo no; exit 1"):
        site.want("Rollback")
        site.wait_last("RollbackInProgress=False/Failed failed to reboot with systemd :no")
    site.boot(OLD)
    site.wait_conditions(*ROLLED_BACK)
    assert site.node.deployments() == [OLD, NEW]


def test_original_release_by_hand_after_a_failure_and_the_new_one_again(site: Site) -> None:
    upgrade = make_upgrade(UPGRADING)
    upgrade["metadata"]["annotations"] = {"auto-rollback-on-failure.lca.openshift.io/upgrade-completion": "Disabled"}
    site.prepare_pivot()
    site.node.write(NEW, "lib/lca/ibu.json", upgrade)
    site.node.write(
        NEW, "opt/extra-manifests/group1/1_a.yaml", "apiVersion: a.example/v1\nkind: A\nmetadata: {name: a}\n"
    )
    site.boot()
    failed = site.wait_last("UpgradeInProgress=False/Failed failed to apply manifest: ")
    site.boot(OLD)
    site.wait_conditions(*UNCONTROLLED)
    site.boot(NEW)
    again = settle(site)
    assert read_conditions(again) == read_conditions(failed)
    assert get_stages(again) == ("Rollback",)


def test_damaged_resource_in_the_new_release_is_told(site: Site) -> None:
    site.prepare_pivot()
    site.node.write(NEW, "lib/lca/ibu.json", '{"spec": {"stage"')
    site.boot()
    told = site.wait_last("Idle=True/Idle Idle. The state saved before the last reboot or deletion could not be read")
    assert "may roll back by itself" in read_conditions(told)[-1]


def gitops_body(stage: str = "Upgrade") -> dict[str, Any]:
    """The resource as a GitOps controller makes it: desired state, nulls, no status."""
    spec = {"stage": stage, "seedImageRef": SEED}
    metadata = {"name": "upgrade", "creationTimestamp": None, "annotations": {"gitops": "mine"}}
    status = {"rollbackAvailabilityExpiration": None}
    return {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": metadata, "spec": spec, "status": status}


def test_gitops_that_makes_the_resource_before_the_operator_starts_does_not_stop_the_restore(
    site: Site, client: Client
) -> None:
    site.prepare_pivot()
    site.node.boot()
    client.create(gitops_body())
    site.start()
    upgraded = site.wait_conditions(*UPGRADED)
    assert upgraded["metadata"]["annotations"] == {"gitops": "mine"}


def test_gitops_that_makes_a_deleted_resource_anew_does_not_lose_the_upgrade(site: Site, client: Client) -> None:
    """Another resource has taken its place before the operator has looked."""
    complete(site)
    with site.broken("rpm-ostree", "until [ -e /run/node/go ]; do sleep 0.02; done"):
        site.node.mark_change()
        site.annotate(**{"lca.openshift.io/trigger-reconcile": "x"})
        site.operator.wait_for(lambda record: record["message"].startswith("run: rpm-ostree status"))
        client.delete(IBU, "upgrade")
        made = client.create(gitops_body())
        (site.node.control / "go").touch()
        restored = site.wait(
            lambda obj: obj["metadata"]["uid"] == made["metadata"]["uid"] and tuple(read_conditions(obj)) == UPGRADED
        )
    assert get_stages(restored) == ("Idle", "Rollback")
    wait_until(lambda: not (site.node.var(NEW) / "lib/lca/ibu.json").exists())


def test_owner_of_the_other_cluster_is_not_restored(site: Site) -> None:
    upgrade = make_upgrade(UPGRADING)
    owner = {"apiVersion": "work.open-cluster-management.io/v1", "kind": "AppliedManifestWork", "name": "w", "uid": "u"}
    upgrade["metadata"]["ownerReferences"] = [owner]
    site.prepare_pivot()
    site.node.write(NEW, "lib/lca/ibu.json", upgrade)
    site.boot()
    assert "ownerReferences" not in site.wait_conditions(*UPGRADED)["metadata"]


def test_idle_alone_in_the_spec_does_not_give_up_the_way_back(
    site: Site, client: Client, server_knows_cel: bool
) -> None:
    """A policy that makes the spec exactly `stage: Idle` drops the version: the new release is booted all the same."""
    break_operators(client, "etcd")
    site.prepare_pivot()
    site.boot()
    site.wait_last("UpgradeInProgress=True/InProgress Waiting for system to stabilize")
    if server_knows_cel:
        return  # the API server refuses it already
    client.update({**site.read(), "spec": {"stage": "Idle"}})
    site.wait_last("Idle=False/InvalidTransition Transition to Idle not allowed - Rollback first")
    assert site.node.deployments() == [NEW, OLD]
    client.patch_merge(CLUSTER_OPERATOR, "etcd", {"status": HEALTHY}, subresource="status")
    site.wait(lambda obj: "UpgradeCompleted=True/Completed Upgrade completed" in read_conditions(obj))


def test_saved_resource_of_the_new_release_is_the_one_that_counts(site: Site) -> None:
    """Its etcd is the seed's, and may hold a resource of the seed cluster."""
    site.prepare_pivot()
    site.node.boot()
    seed = make_upgrade(("Idle=True/Idle Idle",), "Idle", ("Prep",))
    seed["spec"] = {"stage": "Idle", "seedImageRef": {}}
    site.put(seed)
    site.start()
    upgraded = site.wait_conditions(*UPGRADED)
    assert json.dumps(upgraded["spec"], sort_keys=True) == json.dumps(make_upgrade(UPGRADING)["spec"], sort_keys=True)
