"""The stock policies of a fleet lead a real node through an upgrade, a rollback and the finalization.

The same over the API server alone, in every variation: tests/api/operator/gitops.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.kube import Client, Object
from crds.imagebasedupgrade import ImageBasedUpgrade
from tests.cel import Rules, read_schema
from tests.flow.upgrade.site import NEW, OLD_STATEROOT, SPEC, UPGRADE, Site
from tests.gitops.following import follow_compliance
from tests.gitops.hub import PolicyEngine, RuledClient
from tests.gitops.policy import Policy
from tests.gitops.promises import check_versions
from tests.gitops.stock import make_policies

IDLE_ACTIONS = ["Abort", "AbortOnFailure", "FinalizeRollback", "FinalizeUpgrade"]
Moments = list[tuple[str, str, list[str], list[str]]]


class Hub:
    """Enforces one policy after the other, and sees every version of the resource."""

    def __init__(self, site: Site) -> None:
        self.site = site
        with site.connect() as client:
            image = client.get(UPGRADE, "upgrade")["spec"]["seedImageRef"]["image"]
        policies = make_policies(NEW, image, oadp_content=SPEC["oadpContent"])
        self.policies = {name: policy for name, policy in policies.items() if name != "oadp-cm"}
        self.seen: list[Object] = []

    def lead(self, name: str) -> Moments:
        """Enforce a policy that does not hold yet; return what changed until it holds."""
        policy = self.policies[name]
        with self.site.connect() as client:
            assert not make_engine(client).is_compliant(policy)
            make_engine(client).enforce(policy)
        states = [state.write() for state in self.site.follow(holds(policy))]
        self.seen += states
        # Between being made anew in the other release and its status a resource may be seen, or not.
        moments = follow_compliance(self.policies, [each for each in states if "status" in each])
        return [(m.stage, m.last, sorted(m.compliant), sorted(m.done)) for m in moments]


def make_engine(client: Client) -> PolicyEngine:
    return PolicyEngine(RuledClient(client, Rules(read_schema("imagebasedupgrade.yaml")).judge))


def holds(policy: Policy) -> Callable[[ImageBasedUpgrade], bool]:
    def is_compliant(state: ImageBasedUpgrade) -> bool:
        return policy.is_compliant(state.write())

    return is_compliant


def test_policies_lead_a_node_there_and_back(site: Site) -> None:
    hub = Hub(site)
    assert hub.lead("upgrade") == [
        ("Upgrade", "PrepCompleted=True", [], ["Prep"]),
        ("Upgrade", "UpgradeCompleted=True", ["upgrade"], ["Prep", "Upgrade"]),
    ]
    assert hub.lead("rollback") == [
        ("Rollback", "UpgradeCompleted=True", [], ["Prep", "Upgrade"]),
        ("Rollback", "RollbackInProgress=True", [], ["Prep"]),
        ("Rollback", "RollbackCompleted=True", ["rollback"], ["Prep", "Rollback"]),
    ]
    assert site.booted == OLD_STATEROOT
    assert hub.lead("finalize") == [
        ("Idle", "RollbackCompleted=True", [], ["Prep", "Rollback"]),
        ("Idle", "Idle=True", ["finalize"], IDLE_ACTIONS),
    ]
    check_versions(hub.seen)
    assert hub.seen[-1]["spec"] == {"stage": "Idle"}
