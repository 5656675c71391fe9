"""What the stage leaves in the new stateroot, file by file, as the original operator left it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.ibu.prepivot.target import RepeatedError
from agent.ibu.workspace import AcceptedSpec
from agent.kube import Kind, Object
from crds.imagebasedupgrade import ImageBasedUpgradeSpec
from hostops.reboot import reboot_argv
from tests.api.operator.prepivot.cluster import RECORDED, Cluster
from tests.api.operator.prepivot.upgrade import (
    NEW,
    OLD,
    SAVED,
    Upgrade,
    Versions,
    list_states,
    read_tree,
    snapshot,
)
from tests.unit.seeds.certificates import make_certificate
from tools.operator_process import read_conditions

PREPARED = (
    "Idle=False/InProgress In progress, PrepInProgress=False/Completed Prep completed, "
    "PrepCompleted=True/Completed Prep stage completed successfully"
)
MESSAGES = (
    "In progress",
    "Backing up Application Data",
    "Exporting Application Configuration",
    "Exporting Policy and Config Manifests",
    "Exporting Cluster, LVM, and cert-manager configuration",
)
CONFIGURATION = "var/opt/openshift/cluster-configuration"
MANIFESTS = f"{CONFIGURATION}/manifests"
EVENT = Kind("events.k8s.io", "v1", "Event")
PROXY = Kind("config.openshift.io", "v1", "Proxy")
LVM_DEVICES = "/etc/lvm/devices/system.devices"


def make_config_map(name: str, namespace: str = "default", **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def make_manifest(name: str, wave: str | None = None, namespace: str | None = "default") -> Object:
    annotations = {"annotations": {"lca.openshift.io/apply-wave": wave}} if wave else {}
    scope = {"namespace": namespace} if namespace else {}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **scope, **annotations}}


def test_stage_shows_every_recorded_state_and_asks_for_the_reboot(upgrade: Upgrade) -> None:
    """Recorded as upgrade-004 up to the switch of the default, and as cycle-001 from there on."""
    upgrade.begin()
    versions = Versions(upgrade)
    left = upgrade.run_pass()
    assert left is not None
    assert 3500 < left.total_seconds() <= 3601
    states = list_states(versions.list())
    texts = (MESSAGES[0], *MESSAGES, MESSAGES[0])
    histories = ("", *["PrePivot"] * len(MESSAGES), "PrePivot+")
    assert states == [
        (f"{PREPARED}, UpgradeInProgress=True/InProgress {text}", "Idle", f"Prep+: Upgrade:{history}")
        for text, history in zip(texts, histories, strict=True)
    ]
    assert upgrade.commands() == [
        ["mount", "/sysroot", "-o", "remount,rw"],
        ["ostree", "admin", "set-default", "1"],
        list(reboot_argv("upgrade")),
    ]
    assert upgrade.default_stateroot() == NEW


def test_files_are_the_recorded_ones(upgrade: Upgrade) -> None:
    before = snapshot(upgrade.stateroot / "var")
    upgrade.begin()
    upgrade.run_pass()
    after = snapshot(upgrade.stateroot / "var")
    added = {f"/var/{name}": entry for name, entry in after.items() if name not in before}
    wanted = {name: int(entry["mode"], 8) for name, entry in RECORDED["files"].items() if name != "/var/opt/openshift"}
    assert {name: mode for name, (mode, _) in added.items()} == wanted
    for name, entry in RECORDED["files"].items():
        if "text" in entry:
            assert added[name][1] == entry["text"].encode()
        elif "json" in entry:
            assert json.loads(added[name][1]) == entry["json"]


def test_resource_in_the_new_stateroot_is_the_live_one_at_the_end_of_the_phase(upgrade: Upgrade) -> None:
    upgrade.begin(annotations={"mine": "x"}, autoRollbackOnFailure={"initMonitorTimeoutSeconds": 60})
    upgrade.run_pass()
    saved, live = upgrade.load_saved(NEW), upgrade.read()
    assert saved["status"] == live["status"]
    assert saved["spec"] == live["spec"]
    assert saved["metadata"]["annotations"] == {"mine": "x"}
    assert read_conditions(saved)[-1] == "UpgradeInProgress=True/InProgress In progress"
    assert saved["status"]["validNextStages"] == ["Idle"]
    (phase,) = saved["status"]["history"][-1]["phases"]
    assert (phase["phase"], "completionTime" in phase) == ("PrePivot", True)
    assert "completionTime" not in saved["status"]["history"][-1]


def test_copy_in_the_running_stateroot_has_failed(upgrade: Upgrade) -> None:
    upgrade.begin()
    upgrade.run_pass()
    failed, live = upgrade.load_saved(OLD), upgrade.read()
    assert failed.pop("savedInBoot")
    assert failed["spec"] == live["spec"]
    assert read_conditions(failed) == [
        *read_conditions(live)[:3],
        "UpgradeCompleted=False/Failed Upgrade failed",
        "UpgradeInProgress=False/Failed Uncontrolled rollback",
    ]
    assert failed["status"]["validNextStages"] == ["Idle"]
    assert failed["status"]["history"] == live["status"]["history"]
    assert upgrade.node.root.path(SAVED).stat().st_mode & 0o777 == 0o600


def test_reboot_is_announced_by_an_event_or_its_refusal_is_only_logged(
    upgrade: Upgrade, server_knows_cel: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers as old as the first that CEL is missing in take events about such objects in another namespace only."""
    before = {event["metadata"]["name"] for event in upgrade.client.list(EVENT, "default")}
    upgrade.begin()
    upgrade.run_pass()
    sent = [e for e in upgrade.client.list(EVENT, "default") if e["metadata"]["name"] not in before]
    sent = [event for event in sent if event["regarding"]["kind"] == "ImageBasedUpgrade"]
    if not server_knows_cel:
        assert not sent
        assert "event refused" in caplog.text
        return
    fields = ("type", "reason", "action", "note", "reportingController")
    assert [tuple(event[field] for field in fields) for event in sent] == [
        ("Normal", "Reboot", "Reboot", "System will now reboot for upgrade", "ImageBasedUpgrade")
    ]


def test_switches_of_the_automatic_rollback_are_those_at_the_time_of_the_upgrade(upgrade: Upgrade) -> None:
    upgrade.begin(autoRollbackOnFailure={"initMonitorTimeoutSeconds": 600})
    prefix = "auto-rollback-on-failure.lca.openshift.io"
    upgrade.annotate(**{f"{prefix}/init-monitor": "Disabled", f"{prefix}/post-reboot-config": "Disabled"})
    upgrade.run_pass()
    path = upgrade.stateroot / "var/lib/lca/autorollback_config.json"
    expected = {"monitor_timeout": 600, "enabled_components": {"config": False, "postpivot": False}}
    assert json.loads(path.read_text()) == expected
    assert path.stat().st_mode & 0o777 == 0o600


def test_mirrors_are_exported_as_lists(upgrade: Upgrade, cluster: Cluster) -> None:
    mirrors = [{"source": "quay.io/x", "mirrors": ["mirror:5000/x"]}]
    labelled = {"name": "one", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    sets = {"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet"}
    policies = {"apiVersion": "operator.openshift.io/v1alpha1", "kind": "ImageContentSourcePolicy"}
    cluster.put({**sets, "metadata": labelled, "spec": {"imageDigestMirrors": mirrors}})
    cluster.put({**policies, "metadata": {"name": "two"}, "spec": {"repositoryDigestMirrors": mirrors}})
    upgrade.begin()
    upgrade.run_pass()
    written = read_tree(upgrade.stateroot / MANIFESTS)
    assert written == {
        "image-digest-mirror-set.json": {
            **sets,
            "kind": "ImageDigestMirrorSetList",
            "metadata": {},
            "items": [{**sets, "metadata": labelled, "spec": {"imageDigestMirrors": mirrors}}],
        },
        "image-content-source-policy-list.json": {
            **policies,
            "kind": "ImageContentSourcePolicyList",
            "metadata": {},
            "items": [{**policies, "metadata": {"name": "two"}, "spec": {"repositoryDigestMirrors": mirrors}}],
        },
    }


def test_proxy_and_additional_trust_are_exported(upgrade: Upgrade, cluster: Cluster) -> None:
    spec = {"httpProxy": "http://p", "httpsProxy": "", "noProxy": "a", "trustedCA": {"name": "trusted"}}
    cluster.put({"apiVersion": PROXY.api_version, "kind": "Proxy", "metadata": {"name": "cluster"}, "spec": spec})
    cluster.set_status(PROXY, "cluster", {"httpProxy": "http://p", "noProxy": "a,b"})
    cluster.put(make_config_map("user-ca-bundle", "openshift-config", **{"ca-bundle.crt": "USER"}))
    cluster.put(make_config_map("trusted", "openshift-config", **{"ca-bundle.crt": "TRUSTED"}))
    upgrade.begin()
    upgrade.run_pass()
    written = json.loads((upgrade.stateroot / CONFIGURATION / "manifest.json").read_text())
    assert written["proxy"] == {"httpProxy": "http://p", "noProxy": "a"}
    assert written["status_proxy"] == {"httpProxy": "http://p", "noProxy": "a,b"}
    assert written["additionalTrustBundle"] == {
        "userCaBundle": "USER",
        "proxyConfigmapName": "trusted",
        "proxyConfigmapBundle": "TRUSTED",
    }


def test_local_storage_is_exported_with_its_devices(upgrade: Upgrade, cluster: Cluster) -> None:
    devices = upgrade.node.root.path(LVM_DEVICES)
    devices.parent.mkdir(parents=True)
    devices.write_text("VERSION=1.1.1\n")
    devices.chmod(0o640)
    provisioner = {"provisioner": "kubernetes.io/no-provisioner"}
    storage_class = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}}
    cluster.put({**storage_class, **provisioner})
    spec = {"storageClassDevices": [{"storageClassName": "fast", "devicePaths": ["/dev/sdb"]}] * 2}
    metadata: Object = {"name": "disks", "namespace": "openshift-storage"}
    touched = {"labels": {"lca.openshift.io/backup": "b", "keep": "x"}, "finalizers": ["storage.example/f"]}
    volume = {"apiVersion": "local.storage.openshift.io/v1", "kind": "LocalVolume", "spec": spec}
    cluster.put({**volume, "metadata": {**metadata, **touched}, "status": {"phase": "x"}})
    try:
        upgrade.begin()
        upgrade.run_pass()
    finally:
        kind = Kind("local.storage.openshift.io", "v1", "LocalVolume")
        patch: dict[str, Any] = {"metadata": {"finalizers": None}}
        cluster.client.patch_merge(kind, "disks", patch, "openshift-storage")
    written = read_tree(upgrade.stateroot / MANIFESTS)
    assert written["LocalVolume_disks_openshift-storage.json"] == {
        **volume,
        "metadata": {**metadata, "labels": {"keep": "x"}},
    }
    assert written["StorageClass_fast_.json"].items() >= {**storage_class, **provisioner}.items()
    copied = upgrade.stateroot / "var/opt/openshift/lvm-configuration/system.devices"
    assert (copied.read_text(), copied.stat().st_mode & 0o777) == ("VERSION=1.1.1\n", 0o640)


@pytest.fixture
def certificates(cluster: Cluster) -> None:
    """Certificates with a Secret, twice the same one, without one, and in a namespace of the platform."""
    for namespace, name, secret in (
        ("apps", "web", "web-tls"),
        ("apps", "web-again", "web-tls"),
        ("apps", "missing", "not-there"),
        ("openshift-config", "api", "api-tls"),
    ):
        cluster.put(
            {
                "apiVersion": "cert-manager.io/v1",
                "kind": "Certificate",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"secretName": secret},
            }
        )
    for namespace, name, common_name in (("apps", "web-tls", "web.example.com"), ("openshift-config", "api-tls", "")):
        cluster.put(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": make_certificate(common_name), "tls.key": f"KEY of {name}"},
            }
        )


@pytest.mark.usefixtures("certificates")
def test_certificates_of_cert_manager_are_exported(upgrade: Upgrade) -> None:
    upgrade.begin()
    upgrade.run_pass()
    written = read_tree(upgrade.stateroot / MANIFESTS)
    assert list(written) == [
        "01_certmanager_Namespace_apps.json",
        "03_certmanager_Secret_api-tls_openshift-config.json",
        "03_certmanager_Secret_web-tls_apps.json",
    ]
    secret = written["03_certmanager_Secret_web-tls_apps.json"]
    assert secret["metadata"] == {"name": "web-tls", "namespace": "apps"}
    assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "kubernetes.io/tls")
    keys = snapshot(upgrade.stateroot / CONFIGURATION / "certmanager-crypto")
    assert keys == {"CN=web.example.com__apps_web-tls.key": (0o600, b"KEY of web-tls")}


@pytest.mark.usefixtures("certificates")
def test_nothing_of_an_earlier_pass_survives(upgrade: Upgrade, cluster: Cluster) -> None:
    """What the cluster no longer has when the stage is repeated must not come back in the new release."""
    cluster.put(make_config_map("extra", first=json.dumps(make_manifest("old"))))
    upgrade.begin(extraManifests=[{"name": "extra", "namespace": "default"}])
    upgrade.break_default()
    with pytest.raises(RepeatedError, match="broken"):
        upgrade.run_pass()
    assert (upgrade.stateroot / CONFIGURATION / "certmanager-crypto").exists()
    cluster.delete(Kind("", "v1", "Secret"), "web-tls", "apps")
    cluster.delete(Kind("", "v1", "Secret"), "api-tls", "openshift-config")
    cluster.put(make_config_map("extra", first=json.dumps(make_manifest("new"))))
    upgrade.mend_default()
    upgrade.run_pass()
    assert read_tree(upgrade.stateroot / MANIFESTS) == {}
    assert not (upgrade.stateroot / CONFIGURATION / "certmanager-crypto").exists()
    assert list(read_tree(upgrade.stateroot / "var/opt/extra-manifests")) == ["group1/1_ConfigMap_new_default.yaml"]


def test_extra_manifests_are_exported_by_wave(upgrade: Upgrade, cluster: Cluster) -> None:
    manifests = [make_manifest("z", "2"), make_manifest("a", "10"), make_manifest("b", "2"), make_manifest("c")]
    cluster.put(make_config_map("one", **{"a.yaml": "\n---\n".join(json.dumps(m) for m in manifests)}))
    cluster.put(make_config_map("two", **{"b.yaml": json.dumps(make_manifest("cluster-wide", "2", None))}))
    references = [{"name": name, "namespace": "default"} for name in ("one", "two", "one")]
    upgrade.begin(extraManifests=references)
    upgrade.run_pass()
    written = read_tree(upgrade.stateroot / "var/opt/extra-manifests")
    assert list(written) == [
        "group1/1_ConfigMap_b_default.yaml",
        "group1/2_ConfigMap_cluster-wide_.yaml",
        "group1/3_ConfigMap_z_default.yaml",
        "group2/1_ConfigMap_a_default.yaml",
        "group3/1_ConfigMap_c_default.yaml",
    ]
    assert written["group1/1_ConfigMap_b_default.yaml"] == manifests[2]
    assert {mode for _, (mode, content) in snapshot(upgrade.stateroot / "var/opt/extra-manifests").items()} == {
        0o600,
        0o700,
    }


def make_policy(name: str, wave: str, *manifests: Object, compliance: str = "musthave") -> Object:
    templates = [{"complianceType": compliance, "objectDefinition": manifest} for manifest in manifests]
    return {
        "apiVersion": "policy.open-cluster-management.io/v1",
        "kind": "Policy",
        "metadata": {
            "name": f"ztp.{name}",
            "namespace": "apps",
            "annotations": {"ran.openshift.io/ztp-deploy-wave": wave},
        },
        "spec": {"policy-templates": [{"objectDefinition": {"spec": {"object-templates": templates}}}]},
    }


def label(manifest: Object, version: str = "4.15.3") -> Object:
    metadata = {**manifest["metadata"], "labels": {"lca.openshift.io/target-ocp-version": version}}
    return {**manifest, "metadata": metadata}


def test_policies_are_exported_as_groups(upgrade: Upgrade, cluster: Cluster) -> None:
    cluster.put(make_policy("late", "20", label(make_manifest("z")), compliance="mustonlyhave"))
    cluster.put(make_policy("early", "3", label(make_manifest("y"), "4.15"), make_manifest("unlabelled")))
    upgrade.begin(annotations={"lca.openshift.io/target-ocp-version-manifest-count": "2"})
    upgrade.run_pass()
    written = read_tree(upgrade.stateroot / "var/opt/policy-manifests")
    annotations = {name: obj["metadata"]["annotations"] for name, obj in written.items()}
    assert annotations == {
        "group1/1_ConfigMap_y_default.yaml": {"lca.openshift.io/apply-type": "merge"},
        "group2/1_ConfigMap_z_default.yaml": {"lca.openshift.io/apply-type": "replace"},
    }


def test_changed_spec_is_not_handed_over(upgrade: Upgrade) -> None:
    """A server without rules lets a user change what Prep was run with; the upgrade goes on with that."""
    upgrade.begin(autoRollbackOnFailure={"initMonitorTimeoutSeconds": 600})
    upgrade.break_default()
    with pytest.raises(RepeatedError):
        upgrade.run_pass()
    accepted = {**upgrade.read()["spec"], "autoRollbackOnFailure": {"initMonitorTimeoutSeconds": 60}}
    AcceptedSpec(upgrade.node.root).write(ImageBasedUpgradeSpec.read(accepted))
    upgrade.mend_default()
    upgrade.run_pass()
    assert upgrade.load_saved(NEW)["spec"] == upgrade.load_saved(OLD)["spec"] == accepted
    settings = json.loads((upgrade.stateroot / "var/lib/lca/autorollback_config.json").read_text())
    assert settings["monitor_timeout"] == 60
