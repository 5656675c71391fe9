"""The hub's source CRs, as our checks see them; names that our manifests share with the hub's operator CRs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent.velero import content as rules
from agent.velero.content import Content, select_content
from tests.gitops.stock import make_policies, read_source_crs

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def platform() -> Content:
    """Both platform pairs together."""
    return select_content([*read_source_crs("PlatformBackupRestore"), *read_source_crs("PlatformBackupRestoreLvms")])


def test_platform_pairs_have_no_faults(platform: Content) -> None:
    assert rules.find_unusable(platform) == []
    assert rules.find_flaws(platform) == []
    assert [*rules.check_references(platform), *rules.check_filters(platform)] == []
    assert rules.check_pairing(platform) is None


def test_platform_backup_carries_what_connects_the_site_with_the_hub(platform: Content) -> None:
    names = {target.name for backup in platform.backups for target in rules.read_targets(backup)}
    assert {
        "klusterlet",
        "bootstrap-hub-kubeconfig",
        "open-cluster-management:klusterlet-work:ibu-role",
        "klusterlets.operator.open-cluster-management.io",
    } <= names


def test_policies_are_those_of_the_hub() -> None:
    policies = make_policies("4.16.1", "quay.io/org/seed:1")
    assert {policy.name for policy in policies.values()} == {
        f"group-ibu-{name}-policy" for name in ("oadp-cm", "prep", "upgrade", "finalize", "rollback")
    }
    spec = policies["prep"].templates[0].body["spec"]
    assert spec["seedImageRef"] == {"version": "4.16.1", "image": "quay.io/org/seed:1"}
    assert spec["oadpContent"] == [{"name": "oadp-cm", "namespace": "openshift-adp"}]


def test_names_that_the_hub_knows_are_those_of_our_manifests() -> None:
    """F.5: the hub installs the operator into this namespace and lets it run on the management processors."""
    namespace = yaml.safe_load((DEPLOY / "namespace.yaml").read_text())
    assert namespace["metadata"]["name"] == "openshift-lifecycle-agent"
    assert namespace["metadata"]["annotations"]["workload.openshift.io/allowed"] == "management"
    (upgrade,) = read_source_crs("ImageBasedUpgrade")
    assert (upgrade["metadata"]["name"], upgrade["spec"]) == ("upgrade", {"stage": "Idle"})
