"""Everything that can be wrong before the reboot: what the user reads, whether it is repeated, and that the running
release stays as it was.

Errors of recorded runs carry the run's name in the test's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from agent.ibu.prepivot.target import RepeatedError
from agent.kube import Kind, Object
from tests.api.operator.prepivot.cluster import CLUSTER_OPERATOR, Cluster
from tests.api.operator.prepivot.test_export import label, make_config_map, make_manifest, make_policy
from tests.api.operator.prepivot.upgrade import MARK, NEW, OLD, SAVED, Upgrade, snapshot
from tools.operator_process import read_conditions

SECRET = Kind("", "v1", "Secret")
EXPORTING = "Exporting Cluster, LVM, and cert-manager configuration"
MANIFESTS = "Exporting Policy and Config Manifests"
BACKING_UP = "Backing up Application Data"
EXTRA = {"extraManifests": [{"name": "extra", "namespace": "default"}]}
COUNT = "lca.openshift.io/target-ocp-version-manifest-count"

Break = Callable[[Upgrade, Cluster], None]


@pytest.fixture(autouse=True)
def _running_release_stays_as_it_was(upgrade: Upgrade) -> Iterator[None]:
    """Whatever fails: the old release is untouched and, unless the reboot is under way, what the node boots next."""
    yield
    assert upgrade.read_old_release() == upgrade.old_release
    assert upgrade.default_stateroot() == (NEW if upgrade.node.root.path(MARK).exists() else OLD)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and what `UpgradeInProgress` says then."""

    name: str
    break_it: Break
    message: str
    spec: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


def remove_file(path: str) -> Break:
    return lambda upgrade, _: upgrade.node.root.path(path).unlink()


def remove_object(kind: Kind, name: str, namespace: str | None = None) -> Break:
    return lambda _, cluster: cluster.delete(kind, name, namespace)


def break_command(command: str, text: str) -> Break:
    return lambda upgrade, _: upgrade.node.break_command(command, f"echo '{text}'; exit 1")


def put(*objects: Object) -> Break:
    def break_it(_: Upgrade, cluster: Cluster) -> None:
        for obj in objects:
            cluster.put(obj)

    return break_it


def put_in_the_way(path: str) -> Break:
    def break_it(upgrade: Upgrade, _: Cluster) -> None:
        place = upgrade.stateroot / path
        place.mkdir(parents=True)
        (place / "something").touch()

    return break_it


LOCAL_VOLUME = {
    "apiVersion": "local.storage.openshift.io/v1",
    "kind": "LocalVolume",
    "metadata": {"name": "disks", "namespace": "openshift-storage"},
    "spec": {"storageClassDevices": [{"storageClassName": "nowhere"}]},
}
CRYPTO = "failed to get kubeconfig crypto"
CONFIGURATION_ERROR = f"{EXPORTING}: Failure occurred: error while fetching cluster configuration: "

REPEATED = (
    Fault(
        "remount",
        break_command("mount /sysroot", "mount: /sysroot: permission denied."),
        f"{BACKING_UP}: Failure occurred: error while remounting sysroot: mount: /sysroot: permission denied.\n"
        ": exit status 1",
    ),
    Fault(
        "upgrade-008-ssh-key",
        remove_file("/home/core/.ssh/authorized_keys.d/ignition"),
        f"{CONFIGURATION_ERROR}failed to get ssh key: failed to read sshKey: "
        "open /home/core/.ssh/authorized_keys.d/ignition: no such file or directory",
    ),
    Fault(
        "several-objects-at-once",
        lambda upgrade, cluster: (
            cluster.delete(SECRET, "pull-secret", "openshift-config"),
            cluster.delete(SECRET, "localhost-serving-signer", "openshift-kube-apiserver-operator"),
            remove_file("/home/core/.ssh/authorized_keys.d/ignition")(upgrade, cluster),
        )[-1],
        f'{CONFIGURATION_ERROR}{CRYPTO}: secrets "localhost-serving-signer" not found; '
        'failed to get pull secret: secrets "pull-secret" not found; failed to get ssh key: failed to read sshKey: '
        "open /home/core/.ssh/authorized_keys.d/ignition: no such file or directory",
    ),
    Fault(
        "secret-without-its-key",
        put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kubeadmin", "namespace": "kube-system"}}),
        f"{CONFIGURATION_ERROR}Secret kube-system/kubeadmin has no key kubeadmin",
    ),
    Fault(
        "storage-class",
        put(LOCAL_VOLUME),
        f"{EXPORTING}: Failure occurred: error while fetching LVM configuration: failed to get storageclass nowhere: "
        'storageclasses.storage.k8s.io "nowhere" not found',
    ),
    Fault(
        "upgrade-004-set-default",
        lambda upgrade, _: upgrade.break_default("error: cannot set default"),
        "In progress: Failure occurred: error while setting default deployment: failed to set default deployment at "
        "index 1: failed run ostree set-default with args [admin set-default 1]: error: cannot set default\n"
        ": exit status 1",
    ),
)


@pytest.mark.parametrize("fault", REPEATED, ids=lambda fault: fault.name)
def test_error_is_shown_and_the_work_repeated(fault: Fault, upgrade: Upgrade, cluster: Cluster) -> None:
    fault.break_it(upgrade, cluster)
    upgrade.begin(fault.annotations, **fault.spec)
    for _ in range(2):
        with pytest.raises(RepeatedError):
            upgrade.run_pass()
        assert read_conditions(upgrade.read())[-1] == f"UpgradeInProgress=True/InProgress {fault.message}"
    assert upgrade.read()["status"]["validNextStages"] == ["Idle"]
    assert not upgrade.is_reboot_requested()


def test_error_that_passes_leaves_no_trace(upgrade: Upgrade, cluster: Cluster) -> None:
    cluster.delete(SECRET, "pull-secret", "openshift-config")
    upgrade.begin()
    with pytest.raises(RepeatedError):
        upgrade.run_pass()
    cluster.restore()
    upgrade.run_pass()
    assert upgrade.message == "In progress"
    assert upgrade.is_reboot_requested()


def test_place_that_can_not_be_written_is_an_error_that_names_the_step(upgrade: Upgrade) -> None:
    upgrade.begin()
    put_in_the_way("var/lib/lca/ibu.json")(upgrade, None)  # type: ignore[arg-type]
    with pytest.raises(RepeatedError, match=r"^error while exporting IBU CR to the new state root: .*ibu\.json"):
        upgrade.run_pass()
    assert not upgrade.node.root.path(SAVED).exists()


def test_copy_for_the_old_release_that_can_not_be_written_comes_before_the_switch(upgrade: Upgrade) -> None:
    upgrade.begin()
    upgrade.start()
    upgrade.node.root.path(SAVED).mkdir()
    (upgrade.node.root.path(SAVED) / "x").touch()
    with pytest.raises(RepeatedError, match=r"^error while exporting for uncontrolled rollback: "):
        upgrade.run_pass()
    assert ["ostree", "admin", "set-default", "1"] not in upgrade.commands()


TERMINAL = (
    Fault(
        "upgrade-012-config-map",
        lambda _, __: None,
        "failed to export manifests from configmaps: the extraManifests configMap is not found, error: failed to get "
        'configMap configmaps "extra" not found. Please create the configMap.',
        spec=EXTRA,
    ),
    Fault(
        "undecodable-manifests",
        put(make_config_map("extra", **{"a.yaml": "apiVersion: v1\nmetadata: {name: x}", "b.yaml": "- x"})),
        "failed to export manifests from configmaps: failed to extract manifests from configMap: failed to decode "
        "a.yaml in the configMap extra: error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing in "
        '\'{"apiVersion":"v1","metadata":{"name":"x"}}\'; failed to decode b.yaml in the configMap extra: error '
        "unmarshaling JSON: while decoding JSON: a list is not an object",
        spec=EXTRA,
    ),
    Fault(
        "wave",
        put(make_config_map("extra", **{"a.yaml": json.dumps(make_manifest("x", "1.5"))})),
        "failed to export manifests from configmaps: failed to sort and group manifests: error convert: "
        'strconv.Atoi: parsing "1.5": invalid syntax',
        spec=EXTRA,
    ),
    Fault(
        "apply-type",
        put(
            make_config_map(
                "extra",
                **{
                    "a.yaml": json.dumps(
                        {
                            **make_manifest("x"),
                            "metadata": {"name": "x", "annotations": {"lca.openshift.io/apply-type": "Merge"}},
                        }
                    )
                },
            )
        ),
        "failed to export manifests from configmaps: manifest ConfigMap called x: annotation "
        "lca.openshift.io/apply-type is 'Merge'; use replace or merge",
        spec=EXTRA,
    ),
    Fault(
        "disallowed-kind",
        put(
            make_config_map(
                "extra",
                **{
                    "a.yaml": "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\n"
                    "metadata: {name: mc}\n---\napiVersion: v1\nkind: Secret\n"
                },
            )
        ),
        "failed to export manifests from configmaps: MachineConfig[mc] in extramanifests is not allowed; "
        "Secret resource name is empty",
        spec=EXTRA,
    ),
    Fault(
        "policy-count",
        put(make_policy("p", "1", label(make_manifest("x")))),
        "failed to export manifests from policies: failed to validate and extract manifests from policies: The labeled "
        "manifests count found in policies 1 does not match the expected manifests count 3",
        annotations={COUNT: "3"},
    ),
    Fault(
        "compliance-type",
        put(make_policy("p", "1", label(make_manifest("x")), compliance="mayhave")),
        "failed to export manifests from policies: failed to validate and extract manifests from policies: unsupported "
        "compliance type: mayhave",
    ),
)


@pytest.mark.parametrize("fault", TERMINAL, ids=lambda fault: fault.name)
def test_what_the_user_has_to_mend_ends_the_stage(fault: Fault, upgrade: Upgrade, cluster: Cluster) -> None:
    fault.break_it(upgrade, cluster)
    upgrade.begin(fault.annotations, **fault.spec)
    assert upgrade.run_pass() is None
    assert_failed(upgrade, fault.message)
    assert not upgrade.is_reboot_requested()
    assert not (upgrade.stateroot / "var/opt/openshift/cluster-configuration").exists()


def assert_failed(upgrade: Upgrade, message: str) -> None:
    """The stage has ended; the way on is an abort, and another pass changes nothing."""
    failed = upgrade.read()
    assert read_conditions(failed)[-2:] == [
        "UpgradeCompleted=False/Failed Upgrade failed",
        f"UpgradeInProgress=False/Failed {message}",
    ]
    assert failed["status"]["validNextStages"] == ["Idle"]
    (phase,) = failed["status"]["history"][-1]["phases"]
    assert phase["phase"] == "PrePivot"
    upgrade.run_pass()
    assert upgrade.read()["metadata"]["resourceVersion"] == failed["metadata"]["resourceVersion"]


def test_unhealthy_cluster_is_waited_for_and_nothing_exported(upgrade: Upgrade, cluster: Cluster) -> None:
    cluster.set_status(CLUSTER_OPERATOR, "etcd", {"conditions": [{"type": "Available", "status": "False"}]})
    before = snapshot(upgrade.stateroot)
    upgrade.begin()
    assert upgrade.run_pass() == timedelta(seconds=20)
    assert upgrade.message == (
        "Waiting for system to stabilize before Upgrade (pre-pivot) stage can continue: one or more health checks "
        "failed: one or more ClusterOperators not yet ready: etcd"
    )
    assert snapshot(upgrade.stateroot) == before
    assert upgrade.commands() == []


def test_new_stateroot_that_was_undeployed_is_noticed_before_anything_is_done(upgrade: Upgrade) -> None:
    """upgrade-016: the original exports into a folder that it makes, and then fails."""
    upgrade.node.runner.run("ostree", "admin", "undeploy", "1")
    before = snapshot(upgrade.stateroot)
    upgrade.begin()
    with pytest.raises(RepeatedError) as caught:
        upgrade.run_pass()
    assert str(caught.value) == (
        "error while setting default deployment: failed to get deployment index for stateroot rhcos_4.15.3: "
        "unable to find deployment in stateroot: rhcos_4.15.3"
    )
    assert upgrade.message == f"In progress: Failure occurred: {caught.value}"
    assert snapshot(upgrade.stateroot) == before


def test_reboot_command_that_fails_ends_the_stage_with_the_old_default(upgrade: Upgrade) -> None:
    upgrade.node.break_command("systemd-run --unit", "echo 'Failed to connect to bus'; exit 1")
    upgrade.begin()
    assert upgrade.run_pass() is None
    assert_failed(upgrade, "failed to reboot with systemd :Failed to connect to bus\n: exit status 1")
    assert upgrade.commands("ostree") == [["ostree", "admin", "set-default", "1"]] * 2
    assert not upgrade.node.root.path(SAVED).exists()
    assert not upgrade.node.root.path(MARK).exists()


def test_reboot_that_never_comes_ends_the_stage_with_the_old_default(upgrade: Upgrade) -> None:
    upgrade.begin()
    left = upgrade.run_pass()
    assert left is not None
    assert upgrade.default_stateroot() == NEW
    upgrade.late = left
    assert upgrade.run_pass() is None
    assert_failed(upgrade, "failed to reboot. This should never happen! Please check the system")
    assert not upgrade.node.root.path(SAVED).exists()
    assert not upgrade.node.root.path(MARK).exists()


def test_default_that_can_not_be_taken_back_is_said(upgrade: Upgrade) -> None:
    fault = 'test "$2" != set-default || exit 1'
    script = f"echo no bus; echo '{fault}' >'/run/faults/ostree admin'; exit 1"
    upgrade.node.break_command("systemd-run --unit", script)
    upgrade.begin()
    upgrade.run_pass()
    assert upgrade.message.startswith("failed to reboot with systemd :no bus\n: exit status 1; do not reboot: ")
    upgrade.mend_default()
    upgrade.node.runner.run("ostree", "admin", "set-default", "1")  # what the message asks of the administrator
