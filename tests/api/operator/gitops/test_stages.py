"""Stages led by policies, one after the other: a whole upgrade, a rollback; what the hub sees on the way."""

from __future__ import annotations

import pytest

from tests.api.operator.gitops.conftest import MakeSite
from tests.api.operator.gitops.driving import play_jobs, play_reboot
from tests.gitops.following import follow_compliance
from tests.gitops.hub import IBU, PolicyEngine, RuledClient
from tests.gitops.promises import check_versions
from tests.gitops.stock import make_policies
from tools.recorded_runs.following import Follower
from tools.recorded_runs.site import Site

OLD, NEW = "4.14.8", "4.15.3"
IDLE_ACTIONS = ["Abort", "AbortOnFailure", "FinalizeRollback", "FinalizeUpgrade"]
STOCK = make_policies(NEW, f"quay.io/org/seed:{NEW}", oadp_content=[])
POLICIES = {name: policy for name, policy in STOCK.items() if name != "oadp-cm"}


class Lead:
    """Enforces policies of a site, which the hub gives one after the other."""

    def __init__(self, site: Site, engine: PolicyEngine) -> None:
        self.site = site
        self.engine = engine

    def begin(self, name: str) -> None:
        """Enforce a policy that does not hold yet."""
        assert not self.engine.is_compliant(POLICIES[name])
        self.engine.enforce(POLICIES[name])

    def upgrade(self, follower: Follower) -> None:
        """From Idle to a complete upgrade."""
        self.begin("prep")
        play_jobs(self.site)
        follower.wait_until(POLICIES["prep"].is_compliant)
        self.begin("upgrade")
        play_reboot(self.site, f"rhcos_{NEW}", NEW)
        follower.wait_until(POLICIES["upgrade"].is_compliant)

    def finish(self, name: str, follower: Follower) -> None:
        """Enforce a policy and wait until it holds, after a reboot or not."""
        self.begin(name)
        if name == "rollback":
            play_reboot(self.site, "rhcos", OLD)
        follower.wait_until(POLICIES[name].is_compliant)


@pytest.fixture
def lead(make_site: MakeSite, engine: PolicyEngine) -> Lead:
    return Lead(make_site("idle"), engine)


def list_moments(follower: Follower) -> list[tuple[str, str, list[str], list[str]]]:
    moments = follow_compliance(POLICIES, follower.objects)
    return [(m.stage, m.last, sorted(m.compliant), sorted(m.done)) for m in moments]


UPGRADE = [
    ("Idle", "Idle=True", [], IDLE_ACTIONS),
    ("Prep", "PrepInProgress=True", [], []),
    ("Prep", "PrepCompleted=True", ["prep"], ["Prep"]),
    ("Upgrade", "PrepCompleted=True", [], ["Prep"]),
    ("Upgrade", "", [], []),  # made anew on the new release
    ("Upgrade", "UpgradeInProgress=True", [], ["Prep"]),
    ("Upgrade", "UpgradeCompleted=True", ["upgrade"], ["Prep", "Upgrade"]),
]


def test_policies_lead_through_an_upgrade(lead: Lead) -> None:
    with Follower(lead.site.cluster.client) as follower:
        lead.upgrade(follower)
        lead.finish("finalize", follower)
        moments = list_moments(follower)
    check_versions(follower.objects)
    assert moments == [
        *UPGRADE,
        ("Idle", "UpgradeCompleted=True", [], ["Prep", "Upgrade"]),
        ("Idle", "Idle=True", ["finalize"], IDLE_ACTIONS),
    ]
    assert follower.objects[-1]["spec"] == {"stage": "Idle"}
    assert lead.site.host.deployments() == [f"rhcos_{NEW}"]


@pytest.mark.slow
def test_policies_lead_through_a_rollback(lead: Lead) -> None:
    with Follower(lead.site.cluster.client) as follower:
        lead.upgrade(follower)
        lead.finish("rollback", follower)
        lead.finish("finalize", follower)
        moments = list_moments(follower)
    check_versions(follower.objects)
    assert moments == [
        *UPGRADE,
        ("Rollback", "UpgradeCompleted=True", [], ["Prep", "Upgrade"]),
        ("Rollback", "RollbackInProgress=True", [], ["Prep"]),
        ("Rollback", "", [], []),
        ("Rollback", "RollbackInProgress=True", [], ["Prep"]),
        ("Rollback", "RollbackCompleted=True", ["rollback"], ["Prep", "Rollback"]),
        ("Idle", "RollbackCompleted=True", [], ["Prep", "Rollback"]),
        ("Idle", "Idle=True", ["finalize"], IDLE_ACTIONS),
    ]
    assert lead.site.host.deployments() == ["rhcos"]


@pytest.mark.slow
def test_policies_of_finalize_abort_what_is_prepared(make_site: MakeSite, engine: PolicyEngine) -> None:
    """G.4: one write asks for Idle and takes the seed image away; the cleanup must not need it."""
    site = make_site("prepared")
    with Follower(site.cluster.client) as follower:
        engine.enforce(POLICIES["finalize"])
        last = follower.wait_until(POLICIES["finalize"].is_compliant)
    check_versions(follower.objects)
    assert last["spec"] == {"stage": "Idle"}
    assert site.host.deployments() == ["rhcos"]


@pytest.mark.slow
def test_policy_of_prep_sets_everything_in_one_write(make_site: MakeSite, engine: PolicyEngine) -> None:
    """G.5: stage, seed image and OADP content together, while Idle."""
    site = make_site("idle")
    policy = make_policies(NEW, f"quay.io/org/seed:{NEW}")["prep"]
    engine.enforce(policy)
    site.settle()
    assert site.cluster.client.get(IBU, "upgrade")["spec"] == policy.templates[0].body["spec"]
    assert not engine.is_compliant(policy)  # OADP is not installed there


@pytest.mark.slow
def test_policy_of_prep_is_not_compliant_with_a_warning(
    make_site: MakeSite, engine: PolicyEngine, hub_client: RuledClient
) -> None:
    """G.1: the texts are exact, and that of a warning is another one."""
    site = make_site("idle")
    manifest = "apiVersion: foo.example.com/v1\nkind: Foo\nmetadata: {name: f1, namespace: default}\n"
    metadata = {"name": "em", "namespace": "default"}
    site.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a.yaml": manifest}})
    live = hub_client.get(IBU, "upgrade")
    spec = {**POLICIES["prep"].templates[0].body["spec"], "extraManifests": [metadata]}
    with Follower(site.cluster.client) as follower:
        hub_client.update({**live, "spec": spec})
        play_jobs(site)
        last = follower.wait_until(lambda obj: obj["status"]["conditions"][-1]["type"] == "PrepCompleted")
    check_versions(follower.objects)
    assert last["status"]["conditions"][-1]["message"] == (
        "Prep stage completed with extramanifests validation warning. Please check the annotation "
        "'extra-manifest.lca.openshift.io/validation-warning' for details."
    )
    assert not engine.is_compliant(POLICIES["prep"])
