"""What Prep tells without stopping, a registry that comes back, and the ConfigMaps that change while it runs."""

from __future__ import annotations

from agent.kube import Kind
from tests.flow.prep.manifests import BACKUP, RESTORE, config_map, make, secret
from tests.flow.prep.prepared import assert_prepared
from tests.flow.prep.test_validation import fail
from tests.flow.prep.upgrade import NAMESPACE, WARNING, Upgrade, get_message, has_message, is_prep_over

CLAIM = Kind("", "v1", "PersistentVolumeClaim")
NODE = Kind("", "v1", "Node")
COMPLETED_WITH_WARNING = (
    f"Prep stage completed with extramanifests validation warning. Please check the annotation '{WARNING}' for details."
)


def claim_volume(upgrade: Upgrade) -> str:
    """A volume of LVM Storage for the claim `db`, whose first Pod the scheduler has seen; returns its name."""
    node = upgrade.client.list(NODE)[0]["metadata"]["name"]
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "lvms-vg1"}
    spec |= {"resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "db", "namespace": "default", "annotations": {"volume.kubernetes.io/selected-node": node}}
    upgrade.put({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    bound = upgrade.wait_object(CLAIM, "db", "default", lambda claim: claim["status"].get("phase") == "Bound")
    return str(bound["spec"]["volumeName"])


def test_warnings_let_prep_pass_and_name_what_to_add(upgrade: Upgrade) -> None:
    volume = claim_volume(upgrade)
    extra = secret("fine") + "---\n" + make("example.com/v1", "Unknown", "thing")
    extra += "---\n" + config_map("lost", "no-such-namespace")
    backup = BACKUP.replace("[configmaps]", "[configmaps, persistentvolumeclaims]")

    ibu = upgrade.prepare(
        is_prep_over,
        extraManifests=upgrade.put_config_map("extra", extra),
        oadpContent=upgrade.put_config_map("oadp", f"{backup}---\n{RESTORE}"),
    )[-1]

    assert_prepared(upgrade, ibu, COMPLETED_WITH_WARNING)
    lost = f"content of PV {volume} (PVC default/db) will not be restored"
    assert ibu["metadata"]["annotations"][WARNING].split("; ") == [
        f"Backup[apps] - {lost}: add logicalvolumes.topolvm.io to spec.includedClusterScopedResources",
        f"Restore[apps] - {lost}: add restorePVs: true to spec",
        f"Restore[apps] - {lost}: add restoreStatus.includedResources: [logicalvolumes] to spec",
        "ConfigMap[lost] - namespace no-such-namespace not found on cluster or not added in configmap in right order",
        "Unknown[thing] - CRD not deployed on cluster",
    ]
    upgrade.client.delete(CLAIM, "db", "default")


def test_registry_that_is_away_is_told_and_waited_for(upgrade: Upgrade) -> None:
    upgrade.sandbox.faults.set("registry-down")
    inspecting = "In progress: failed to validate seed image info: failed to get seed image labels: failed to inspect"
    told = upgrade.prepare(has_message("PrepInProgress", inspecting))[-1]
    assert "connection refused" in get_message(told, "PrepInProgress")
    assert get_message(told, "PrepInProgress").endswith(", retrying")

    upgrade.sandbox.faults.clear()

    upgrade.wait(has_message("PrepInProgress", "Successfully launched a new job for stateroot setup"))


def test_config_map_counts_as_it_is_when_prep_begins(upgrade: Upgrade) -> None:
    bad = make("machineconfiguration.openshift.io/v1", "MachineConfig", "mc")
    assert "is not allowed" in fail(upgrade, extraManifests=upgrade.put_config_map("extra", bad))
    upgrade.abort()
    references = upgrade.put_config_map("extra", config_map("fine"))
    launched = has_message("PrepInProgress", "Successfully launched a new job for stateroot setup")
    upgrade.prepare(launched, extraManifests=references)

    upgrade.put_config_map("extra", bad)

    assert_prepared(upgrade, upgrade.wait(is_prep_over))
    assert references == [{"name": "extra", "namespace": NAMESPACE}]
