"""Policies and the hub's actions over recorded runs: when each becomes compliant or done, and when no longer."""

import pytest

from agent.kube import Object
from tests.gitops.following import follow_compliance
from tests.gitops.policy import Policy
from tests.gitops.promises import check_versions
from tests.gitops.recorded import list_runs, list_versions, read_run
from tests.gitops.stock import make_policies

VERSION, IMAGE = "4.15.3", "quay.io/org/seed:4.15.3"
RUNS = [pytest.param(list_versions(run), id=run.id) for run in list_runs() if list_versions(run)]


@pytest.fixture(scope="module")
def policies() -> dict[str, Policy]:
    """Those of the resource, for a site without OADP content."""
    stock = make_policies(VERSION, IMAGE, oadp_content=[])
    return {name: policy for name, policy in stock.items() if name != "oadp-cm"}


def test_whole_upgrade_is_seen_stage_by_stage(policies: dict[str, Policy]) -> None:
    moments = follow_compliance(policies, list_versions(read_run("cycle-001")))
    seen = [(m.stage, m.last, sorted(m.compliant), sorted(m.done)) for m in moments]
    idle = ["Abort", "AbortOnFailure", "FinalizeRollback", "FinalizeUpgrade"]
    assert seen == [
        ("Prep", "Idle=True", [], idle),
        ("Prep", "PrepInProgress=True", [], []),
        ("Prep", "PrepCompleted=True", ["prep"], ["Prep"]),
        # The stage has moved on, so the policy of the earlier stage asks for something else; the condition stays.
        ("Upgrade", "PrepCompleted=True", [], ["Prep"]),
        # Made anew on the new release, before its status is put back.
        ("Upgrade", "", [], []),
        ("Upgrade", "UpgradeInProgress=True", [], ["Prep"]),
        ("Upgrade", "UpgradeCompleted=True", ["upgrade"], ["Prep", "Upgrade"]),
        ("Idle", "UpgradeCompleted=True", [], ["Prep", "Upgrade"]),
        # The user of this run left the seed image in the spec: the policy wants the stage and nothing else.
        ("Idle", "Idle=True", [], idle),
    ]


def test_finalized_upgrade_is_compliant_with_nothing_but_the_stage(policies: dict[str, Policy]) -> None:
    last = list_versions(read_run("cycle-001"))[-1]
    assert not policies["finalize"].is_compliant(last)
    assert policies["finalize"].is_compliant({**last, "spec": {"stage": "Idle"}})


def test_failed_rollback_is_never_compliant(policies: dict[str, Policy]) -> None:
    versions = list_versions(read_run("rollback-004"))
    assert not any(policies["rollback"].is_compliant(version) for version in versions)
    assert not any("Rollback" in moment.done for moment in follow_compliance(policies, versions))


def test_prep_with_a_warning_is_not_compliant(policies: dict[str, Policy]) -> None:
    completed = next(v for v in list_versions(read_run("cycle-001")) if policies["prep"].is_compliant(v))
    warned = [
        c if c["type"] != "PrepCompleted" else {**c, "message": "Prep stage completed with extramanifests validation"}
        for c in completed["status"]["conditions"]
    ]
    assert not policies["prep"].is_compliant({**completed, "status": {"conditions": warned}})


@pytest.mark.parametrize("versions", RUNS)
def test_recorded_versions_keep_what_the_hub_relies_on(versions: list[Object]) -> None:
    check_versions(versions)


def make_version(*conditions: tuple[str, str, str]) -> Object:
    return {"status": {"conditions": [{"type": t, "status": s, "reason": r} for t, s, r in conditions]}}


@pytest.mark.parametrize(
    "versions",
    [
        pytest.param([make_version(("Idle", "True", "Idle"), ("Idle", "True", "Idle"))], id="type-twice"),
        pytest.param([make_version(("Idle", "Unknown", "Idle"))], id="unknown"),
        pytest.param([make_version(("PrepCompleted", "True", "Completed"), ("Idle", "True", "Idle"))], id="stale"),
        pytest.param(
            [make_version(("Idle", "False", "InProgress")), make_version(("Idle", "True", "Idle"))], id="no-cleanup"
        ),
    ],
)
def test_check_versions_finds_broken_promises(versions: list[Object]) -> None:
    with pytest.raises(AssertionError):
        check_versions(versions)
