"""The Upgrade stage in the new release: recorded runs of the original operator, and what is better here."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.kube import Client, Kind
from tests.api.operator.pivot.cluster import CLUSTER_OPERATOR, HEALTHY, NODE, OBJECTS, UNHEALTHY, list_conditions
from tests.api.operator.pivot.node import NEW, OLD, WATCHDOG
from tests.api.operator.pivot.site import UPGRADED, Site, get_stages
from tools.operator_process import read_conditions

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")

RUNNING = "UpgradeInProgress=True/InProgress"
SHOWN = [
    f"{RUNNING} In progress",
    f"{RUNNING} Applying Policy Manifests",
    f"{RUNNING} Applying Config Manifests",
    f"{RUNNING} Restoring Application Data",
    "UpgradeCompleted=True/Completed Upgrade completed",
]


def boot_new(site: Site) -> None:
    site.prepare_pivot()
    assert site.boot() == NEW


def test_post_001_upgrade_completes(site: Site, not_after: datetime) -> None:
    boot_new(site)
    upgraded = site.wait_conditions(*UPGRADED)
    assert get_stages(upgraded) == ("Idle", "Rollback")
    assert site.list_shown() == SHOWN
    expiration = datetime.fromisoformat(upgraded["status"]["rollbackAvailabilityExpiration"])
    assert expiration == not_after - timedelta(minutes=30)
    (post_pivot,) = upgraded["status"]["history"][-1]["phases"][1:]
    assert post_pivot.keys() == {"phase", "startTime", "completionTime"}
    assert post_pivot["phase"] == "PostPivot"
    assert "completionTime" in upgraded["status"]["history"][-1]


def test_post_001_next_stage_is_rollback_until_the_upgrade_is_complete(site: Site) -> None:
    boot_new(site)
    site.wait_conditions(*UPGRADED)
    running = [state for state in site.states() if "rollbackAvailabilityExpiration" in state.get("status", {})]
    assert {get_stages(state) for state in running} == {("Rollback",), ("Idle", "Rollback")}


def test_post_001_watchdog_is_called_off_and_files_are_tidy(site: Site) -> None:
    boot_new(site)
    site.wait_conditions(*UPGRADED)
    assert (site.node.control / "units" / WATCHDOG).read_text() == ""
    assert not (site.node.etc(NEW) / "systemd/system" / WATCHDOG).exists()
    assert ["systemctl", "daemon-reload"] in site.node.commands()
    state = site.node.var(NEW) / "lib/lca"
    assert not (state / "ibu.json").exists()
    assert (state / "upgrade_completed").exists()
    assert site.node.count_reboots() == 0


def write_config_map(name: str, apply_type: str = "") -> str:
    annotations = f"  annotations: {{lca.openshift.io/apply-type: {apply_type}}}\n" if apply_type else ""
    metadata = f"{annotations}  name: {name}\n  namespace: default\n"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n{metadata}data: {{k: v}}\n"


def read_data(client: Client, name: str) -> dict[str, str]:
    return dict(client.get(CONFIG_MAP, name, "default")["data"])


@pytest.fixture
def config_maps(client: Client) -> Any:
    """`exists` and `merged` are there before the upgrade; whatever it makes is gone afterwards."""
    for name in ("exists", "merged"):
        metadata = {"name": name, "namespace": "default"}
        client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"old": "1", "k": "0"}})
    yield
    for found in client.list(CONFIG_MAP, "default"):
        if found["metadata"]["name"] != "kube-root-ca.crt":
            client.delete(CONFIG_MAP, found["metadata"]["name"], "default")


@pytest.mark.usefixtures("config_maps")
def test_post_005_manifests_are_applied_in_order_and_removed(site: Site, client: Client) -> None:
    site.prepare_pivot()
    for path, name, apply_type in (
        ("policy-manifests/group1/1_ConfigMap_p1_default.yaml", "p1", "merge"),
        ("policy-manifests/group2/1_ConfigMap_merged_default.yaml", "merged", "merge"),
        ("extra-manifests/group1/1_ConfigMap_e1_default.yaml", "e1", ""),
        ("extra-manifests/group1/2_ConfigMap_exists_default.yaml", "exists", ""),
        ("extra-manifests/group10/1_ConfigMap_e10_default.yaml", "e10", ""),
        ("extra-manifests/group2/1_ConfigMap_e2_default.yaml", "e2", ""),
    ):
        site.node.write(NEW, f"opt/{path}", write_config_map(name, apply_type))
    site.boot()
    site.wait_conditions(*UPGRADED)
    assert site.list_shown() == SHOWN
    assert read_data(client, "merged") == {"old": "1", "k": "v"}
    assert read_data(client, "exists") == {"k": "v"}
    made = {name: client.get(CONFIG_MAP, name, "default")["metadata"] for name in ("p1", "e1", "e2", "e10")}
    order = sorted(made, key=lambda name: int(made[name]["resourceVersion"]))
    assert order == ["p1", "e1", "e2", "e10"]
    assert "annotations" not in made["p1"]
    assert list((site.node.var(NEW) / "opt").iterdir()) == []


@pytest.mark.usefixtures("config_maps")
def test_post_009_manifest_in_a_missing_namespace_is_retried_until_it_is_there(site: Site, client: Client) -> None:
    site.prepare_pivot()
    text = write_config_map("c1").replace("namespace: default", "namespace: late-ns")
    site.node.write(NEW, "opt/extra-manifests/group1/1_CM.yaml", text)
    site.boot()
    shown = site.wait_last(
        f"{RUNNING} Applying Config Manifests: Failure occurred: failed to apply manifest: failed to"
    )
    assert read_conditions(shown)[-1].endswith('namespaces "late-ns" not found')
    assert get_stages(shown) == ("Rollback",)
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late-ns"}})
    site.wait_conditions(*UPGRADED)
    client.delete(NAMESPACE, "late-ns")


def test_post_013_watchdog_that_can_not_be_stopped_is_only_logged(site: Site) -> None:
    site.node.break_program("systemctl", '[ "$1" != stop ] || { echo Failed to stop; exit 1; }')
    boot_new(site)
    site.wait_conditions(*UPGRADED)
    site.operator.wait_for_message("the watchdog could not be stopped")
    assert (site.node.var(NEW) / "lib/lca/upgrade_completed").exists()


def break_operators(client: Client, *names: str) -> None:
    for name in names:
        client.patch_merge(CLUSTER_OPERATOR, name, {"status": UNHEALTHY}, subresource="status")


def test_health_unready_operators_are_named_and_the_end_is_noticed_at_once(site: Site, client: Client) -> None:
    break_operators(client, "etcd", "network")
    boot_new(site)
    text = "Waiting for system to stabilize: one or more health checks failed: one or more ClusterOperators "
    site.wait_last(f"{RUNNING} {text}not yet ready: etcd, network")
    client.patch_merge(CLUSTER_OPERATOR, "etcd", {"status": HEALTHY}, subresource="status")
    site.wait_last(f"{RUNNING} {text}not yet ready: network")
    client.patch_merge(CLUSTER_OPERATOR, "network", {"status": HEALTHY}, subresource="status")
    ready = time.monotonic()
    site.wait_conditions(*UPGRADED)
    # A poll would need up to 20 s; on an idle machine it is about 0.3 s.
    assert time.monotonic() - ready < 5.0


def test_health_is_watched_only_while_it_is_waited_for(site: Site, client: Client) -> None:
    break_operators(client, "etcd")
    site.prepare_pivot()
    site.boot(LCA_LOG_LEVEL="debug")
    watched = {"kind": "ClusterOperator (config.openshift.io/v1)"}
    site.operator.wait_for(lambda record: record["message"] == "following" and watched.items() <= record.items())
    client.patch_merge(CLUSTER_OPERATOR, "etcd", {"status": HEALTHY}, subresource="status")
    site.wait_conditions(*UPGRADED)
    site.operator.wait_for_message("no longer following")
    kinds = {record["kind"] for record in site.operator.log if record["message"] == "following"}
    assert kinds == {watched["kind"]}


def test_health_without_any_operator_yet_is_not_healthy(site: Site, client: Client) -> None:
    operators = [obj for obj in OBJECTS if obj["kind"] == "ClusterOperator"]
    for operator in operators:
        client.delete(CLUSTER_OPERATOR, operator["metadata"]["name"])
    boot_new(site)
    site.wait_last(
        f"{RUNNING} Waiting for system to stabilize: one or more health checks failed: "
        "one or more ClusterOperators not yet ready: none is there yet"
    )
    for operator in operators:
        created = client.create(operator)
        client.update_status({**created, "status": HEALTHY})
    site.wait_conditions(*UPGRADED)


def test_health_of_the_node_is_waited_for_at_the_end(site: Site, client: Client) -> None:
    not_ready = {"conditions": list_conditions(Ready="False")}
    client.patch_merge(NODE, "sno1", {"status": not_ready}, subresource="status")
    boot_new(site)
    site.wait_last(
        f"{RUNNING} Waiting for system to fully stabilize: one or more health checks failed: "
        "node is not yet ready: sno1"
    )
    assert not (site.node.var(NEW) / "lib/lca/upgrade_completed").exists()
    ready = {"conditions": list_conditions(Ready="True")}
    client.patch_merge(NODE, "sno1", {"status": ready}, subresource="status")
    site.wait_conditions(*UPGRADED)


def test_completion_makes_the_booted_release_the_default(site: Site) -> None:
    """Somebody has chosen the new release at the boot menu, and the next power loss must not undo that."""
    site.prepare_pivot()
    site.node.boot(OLD)
    site.node.set_default(OLD)
    site.boot(NEW)
    site.wait_conditions(*UPGRADED)
    assert site.node.deployments() == [NEW, OLD]


def test_completion_waits_for_an_administrator_where_ostree_can_not_set_the_default(site: Site) -> None:
    site.prepare_pivot()
    site.node.boot(OLD)
    site.node.set_default(OLD)
    with site.broken("ostree", '[ "$2" != --help ] || exit 0'):
        site.boot(NEW)
        site.wait_last(f"{RUNNING} default deployment must be manually set for next boot")
    assert site.node.deployments() == [OLD, NEW]


def test_completion_does_not_come_when_the_watchdog_was_faster(site: Site, client: Client) -> None:
    """Its reboot is on the way: the node is not told to be complete in its last seconds."""
    break_operators(client, "etcd")
    boot_new(site)
    site.wait_last(f"{RUNNING} Waiting for system to stabilize")
    boot_id = (site.node.control / "boot_id").read_text().strip()
    request = {"bootId": boot_id, "rationale": "rollback", "requestedAt": f"{datetime.now(UTC).isoformat()}"}
    site.node.write(NEW, "lib/lca/reboot_requested.json", {**request, "accepted": True})
    client.patch_merge(CLUSTER_OPERATOR, "etcd", {"status": HEALTHY}, subresource="status")
    site.operator.wait_for_message("waiting for the reboot")
    assert not (site.node.var(NEW) / "lib/lca/upgrade_completed").exists()
    assert site.list_shown()[-1].startswith(f"{RUNNING} Waiting for system to stabilize")


def test_completion_does_not_come_when_the_reboot_of_the_watchdog_hangs(site: Site) -> None:
    site.prepare_pivot()
    site.node.boot()
    boot_id = (site.node.control / "boot_id").read_text().strip()
    request = {"bootId": boot_id, "rationale": "rollback", "requestedAt": "2026-01-01T00:00:00+00:00"}
    site.node.write(NEW, "lib/lca/reboot_requested.json", {**request, "accepted": True})
    site.start()
    failed = site.wait_last("UpgradeInProgress=False/Failed failed to reboot. This should never happen!")
    assert get_stages(failed) == ("Rollback",)
    site.want("Rollback")
    site.wait_reboot()
