"""A generation from the request to the result, restarts and failures anywhere in it (seed-image-and-gitops.md A, I)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agent.kube import Kind, errors
from agent.runtime.worker import Request
from agent.seedgen.itineraries import CLEAN, FINALIZE, LAUNCH, PREPARE, STABILIZE, UNDO, VALIDATE
from agent.seedgen.kind import SECRET, SEEDGEN, UPGRADE
from agent.seedgen.pull_secret import SANITIZED
from tests.api.seedgen.world import NAMESPACE, PULL_SECRET, Killed, World

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
NAMESPACES = Kind("", "v1", "Namespace")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")
POD = Kind("", "v1", "Pod")
DONE = [
    "SeedGenInProgress=False/Completed/Seed Generation completed",
    "SeedGenCompleted=True/Completed/Seed Generation completed",
]


def failed(message):
    return [
        f"SeedGenCompleted=False/Failed/Seed generation failed: {message}",
        f"SeedGenInProgress=False/Failed/{message}",
    ]


def make_upgrade(client, stage="Idle", idle="True"):
    body = {"apiVersion": UPGRADE.api_version, "kind": UPGRADE.kind, "metadata": {"name": "upgrade"}}
    live = client.create({**body, "spec": {"stage": stage}})
    fixed = {"message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1, "reason": "Idle"}
    client.update_status({**live, "status": {"conditions": [{"type": "Idle", "status": idle, **fixed}]}})


def make_hub_leftovers(client):
    """What Advanced Cluster Management leaves, a finished Pod, and an old machine config."""
    name = {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    group = "test.open-cluster-management.io"
    client.create(
        {
            "apiVersion": CRD.api_version,
            "kind": CRD.kind,
            "metadata": {"name": f"things.{group}"},
            "spec": {"group": group, "scope": "Cluster", "names": name, "versions": [version]},
        }
    )
    for namespace in ("open-cluster-management-agent", "open-cluster-management-agent-addon", "assisted-installer"):
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for config in ("rendered-master-now", "rendered-master-old", "99-master"):
        client.create(
            {
                "apiVersion": MACHINE_CONFIG.api_version,
                "kind": MACHINE_CONFIG.kind,
                "metadata": {"name": config},
                "spec": {},
            }
        )
    for name, phase in (("done", "Succeeded"), ("broken", "Failed"), ("alive", "Running")):
        pod = {"containers": [{"name": "c", "image": "i"}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": pod}
        live = client.create(body)
        client.update_status({**live, "status": {"phase": phase}})


def remove_hub_leftovers(client):
    for config in ("rendered-master-now", "99-master"):
        client.delete(MACHINE_CONFIG, config)
    client.delete(POD, "alive", "default")


def test_generation_cleans_the_cluster_and_launches_the_builder(world: World):
    make_upgrade(world.client)
    make_hub_leftovers(world.client)
    world.ask()
    world.drive(world.is_launched)
    assert [state[0].rpartition("/")[2] for state in world.states[:1]] == ["Waiting for system to stabilize"]
    (launch,) = world.host.launches()
    assert launch[-7:] == [
        *("create", "--authfile", "/var/lib/lca/ibu-seedgen-orch/auth.json", "--image", world.image),
        *("--recert-image", "quay.io/recert:v1"),
    ]
    assert "quay.io/lca:1" in launch
    assert [
        "podman",
        "pull",
        "--authfile",
        "/var/lib/kubelet/config.json",
        "quay.io/recert:v1",
    ] in world.host.commands()
    client = world.client
    assert world.read() is None
    assert client.find(SECRET, "seedgen", NAMESPACE) is None
    assert client.find(UPGRADE, "upgrade") is None
    assert world.pull_secret() == SANITIZED.decode()
    assert [
        crd["metadata"]["name"] for crd in client.list(CRD) if "cluster-management" in crd["metadata"]["name"]
    ] == []
    gone = {"open-cluster-management-agent", "open-cluster-management-agent-addon"}
    assert not gone & {each["metadata"]["name"] for each in client.list(NAMESPACES)}
    configs = {each["metadata"]["name"] for each in client.list(MACHINE_CONFIG)}
    assert configs == {"rendered-master-now", "99-master"}
    assert [pod["metadata"]["name"] for pod in client.list(POD, "default")] == ["alive"]
    assert (world.host.folder / "var/lib/lca/ibu-seedgen-orch/pull-secret.json").read_text() == PULL_SECRET
    assert world.host.workspace() == [
        *("auth.json", "journal.json", "pull-secret.json", "seedgen-cr.json", "seedgen-secret.json")
    ]
    remove_hub_leftovers(client)


def test_progress_texts_come_in_the_documented_order(world: World):
    world.unhealthy = "one or more health checks failed: x"
    world.ask()
    world.drive(lambda: len(world.states) >= 2)
    assert world.pass_once() == timedelta(seconds=20)
    world.unhealthy = None
    texts = []

    original = world.controller._show

    def show(context, message):
        texts.append(message)
        original(context, message)

    world.controller._show = show
    world.drive(world.is_launched)
    assert world.states[:2] == [
        ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize"],
        ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize: one or more health checks failed: x"],
    ]
    stages = list(dict.fromkeys(text.partition(":")[0] for text in texts))
    assert stages == [
        *("Starting seed generation", "Pulling recert image", "Preparing for seed generation"),
        *("Cleaning cluster resources", "Launching imager container"),
    ]


def test_success_brings_everything_back_and_completes(world: World):
    asked = world.ask()
    world.drive(world.is_launched)
    world.restart()
    world.host.builder_ended()
    world.drive()
    assert world.conditions() == DONE
    raw = world.read()
    assert raw["spec"] == asked["spec"]
    assert raw["metadata"]["annotations"] == {"note": "mine"}
    assert raw["metadata"]["uid"] != asked["metadata"]["uid"]
    assert raw["status"]["startedAt"] == raw["status"]["completedAt"] == "2026-01-01T00:00:00Z"
    world.assert_as_before()
    assert world.pass_once() is None


@pytest.mark.parametrize(
    ("code", "status", "reason", "detail"),
    [
        (
            1,
            "exited",
            "failed to push seed image: denied",
            "expected container exit code 0, found: 1: failed to push seed image: denied",
        ),
        (137, "exited", "", "expected container exit code 0, found: 137; see podman logs lca_image_builder"),
        (0, "created", "", "expected container status exited, found: created; see podman logs lca_image_builder"),
    ],
)
def test_failed_builder_brings_everything_back_and_tells_why(world: World, code, status, reason, detail):
    world.ask()
    world.drive(world.is_launched)
    world.host.builder_ended(code, status, reason)
    world.drive()
    message = f"Seed generation failed: imager container status check failed: {detail}"
    assert world.conditions() == [
        f"SeedGenCompleted=False/Failed/{message}",
        f"SeedGenInProgress=False/Failed/{message}",
    ]
    world.assert_as_before()


def test_builder_without_a_container_is_a_failure_not_a_second_launch(world: World):
    world.ask()
    world.drive()
    assert len(world.host.launches()) == 1
    assert world.conditions()[0].startswith(
        "SeedGenCompleted=False/Failed/Seed generation failed: imager container status check failed: "
        "there is no container lca_image_builder"
    )
    world.assert_as_before()


@pytest.mark.parametrize("unit", ["lca-generate-seed-image.service", "lca-restore-seed.service"])
@pytest.mark.parametrize("state", ["active", "activating", "deactivating"])
def test_nothing_is_restored_while_builder_or_restoration_run(world: World, unit, state):
    world.ask()
    world.drive(world.is_launched)
    world.host.builder_ended()
    world.host.builder_runs(unit, state)
    world.restart()
    for _ in range(3):
        assert world.pass_once() == timedelta(seconds=5)
    assert world.read() is None
    assert world.pull_secret() == SANITIZED.decode()
    world.host.builder_ended()
    world.drive()
    assert world.conditions() == DONE
    world.assert_as_before()


ITINERARIES = (VALIDATE, STABILIZE, PREPARE, CLEAN, LAUNCH, FINALIZE)
POINTS = [
    f"{each.name}/{step.name}/{moment}" for each in ITINERARIES for step in each.steps for moment in ("before", "after")
]
QUICK = {
    *("seedgen stabilize/clear_workspace/after", "seedgen clean/sanitize_pull_secret/after"),
    *(
        "seedgen clean/store_generator/after",
        "seedgen launch/remove_generator/after",
        "seedgen launch/launch_builder/before",
    ),
    *("seedgen finalize/restore_generator/after", "seedgen finalize/report_result/after"),
}


def mark(points):
    return [pytest.param(p, id=p, marks=() if p in QUICK else pytest.mark.slow) for p in points]


def drive_through_death(world: World) -> None:
    """Make passes to the end; the operator that dies is followed by another, the builder ends well once launched."""
    died = 0
    for _ in range(80):
        if world.is_launched():
            world.host.builder_ended()
        try:
            after = world.pass_once()
        except Killed:
            died += 1
            world.restart()
            continue
        if after is None:
            break
    assert died == 1


@pytest.mark.parametrize("point", mark(POINTS))
def test_operator_killed_anywhere_completes_the_generation(world: World, monkeypatch, point):
    world.ask()
    world.die_at(monkeypatch, point)
    drive_through_death(world)
    assert world.conditions() == DONE
    assert len(world.host.launches()) == 1
    world.assert_as_before()


UNDO_POINTS = [f"{UNDO.name}/{step.name}/{moment}" for step in UNDO.steps for moment in ("before", "after")]
QUICK |= {"seedgen undo/put_back_pull_secret/after", "seedgen undo/report_failure/after"}


@pytest.mark.parametrize("point", mark(UNDO_POINTS))
def test_operator_killed_while_it_takes_back_ends_as_before(world: World, monkeypatch, point):
    world.host.answer("systemd-run", "")
    world.host.answer("systemd-run --collect", "echo no bus; exit 1")
    world.ask()
    world.die_at(monkeypatch, point)
    drive_through_death(world)
    assert world.conditions() == failed("imager failed: failed to run imager container: no bus\n: exit status 1")
    world.assert_as_before()


def forbid_podman_pull(world):
    world.host.answer("podman pull", "echo unauthorized; exit 125")


def remove_user_secret(world):
    world.client.delete(SECRET, "seedgen", NAMESPACE)


def remove_pull_secret(world):
    world.client.delete(SECRET, "pull-secret", "openshift-config")


def break_auth(world):
    world.put_secret("seedgen", NAMESPACE, {"seedAuth": "{}"})


def begin_upgrade(world):
    make_upgrade(world.client, "Prep", "False")


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (
            forbid_podman_pull,
            "failed to pull recert image: failed to pull recertImage (quay.io/recert:v1): unauthorized\n",
        ),
        (
            remove_user_secret,
            'could not access secret seedgen in openshift-lifecycle-agent: secrets "seedgen" not found',
        ),
        (break_auth, "seedAuth in seedgen secret can not be used: it is not a container auth file"),
        (
            remove_pull_secret,
            'could not access pull-secret pull-secret in openshift-config: secrets "pull-secret" not found',
        ),
        (
            begin_upgrade,
            "Rejected: ImageBasedUpgrade upgrade must be Idle, it is in stage Prep; finish or abort it first",
        ),
    ],
)
def test_trouble_after_the_validation_fails_with_its_reason(world: World, trouble, message):
    world.unhealthy = "one or more health checks failed: x"
    world.ask()
    world.drive(lambda: len(world.states) >= 2)
    trouble(world)
    world.unhealthy = None
    for _ in range(20):  # without the machine config operator, which needs the pull secret
        if world.controller.reconcile(Request("seedimage")) is None:
            break
    assert world.conditions()[1].startswith(f"SeedGenInProgress=False/Failed/{message}")
    assert world.host.launches() == []
    assert world.host.workspace() == []


def test_pull_secret_that_never_arrives_fails_and_is_put_back(world: World):
    """I.2: the time-out itself must not lose the original."""
    world.stuck = True
    world.ask()
    world.drive(lambda: "is not replaced yet" in str(world.conditions()))
    assert world.pull_secret() == SANITIZED.decode()
    world.time += timedelta(minutes=11)
    world.drive(lambda: not world.host.workspace())
    assert world.conditions()[1].startswith(
        "SeedGenInProgress=False/Failed/failed sanitizing cluster's pull-secret: "
        "timed out waiting for MCO to override pull-secret file: /var/lib/kubelet/config.json is not replaced yet"
    )
    world.assert_as_before()


def test_restart_after_sanitizing_keeps_the_original(world: World):
    """I.2: the sanitized secret is never stored as the original."""
    world.stuck = True
    world.ask()
    world.drive(lambda: "is not replaced yet" in str(world.conditions()))
    for _ in range(3):
        world.restart()
        world.pass_once()
    assert (world.host.folder / "var/lib/lca/ibu-seedgen-orch/pull-secret.json").read_text() == PULL_SECRET
    world.stuck = False
    world.drive(world.is_launched)
    world.host.builder_ended()
    world.drive()
    world.assert_as_before()


def test_pull_secret_that_somebody_changed_meanwhile_is_what_comes_back(world: World):
    world.stuck = True
    world.ask()
    world.drive(lambda: "is not replaced yet" in str(world.conditions()))
    other = '{"auths":{"registry.example.com":{"auth":"bmV3OnNlY3JldA=="}}}'
    world.put_secret("pull-secret", "openshift-config", {".dockerconfigjson": other})
    world.stuck = False
    world.drive(world.is_launched)
    assert world.pull_secret() == SANITIZED.decode()
    world.host.builder_ended()
    world.drive()
    assert world.pull_secret() == other


def test_deletion_of_hub_kinds_that_never_ends_fails_with_their_names(world: World):
    group = "stuck.open-cluster-management.io"
    names = {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    crd = world.client.create(
        {
            "apiVersion": CRD.api_version,
            "kind": CRD.kind,
            "metadata": {"name": f"things.{group}", "finalizers": ["test/never"]},
            "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [version]},
        }
    )
    world.ask()
    world.drive(lambda: "waiting for the deletion of" in str(world.conditions()))
    world.time += timedelta(minutes=16)
    world.drive()
    assert world.conditions() == failed(
        "failed to cleanup resources: timed out waiting for ACM CRD deletion: "
        f"waiting for the deletion of things.{group}"
    )
    world.assert_as_before()
    world.client.patch_merge(CRD, crd["metadata"]["name"], {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("phase", ["stabilizing", "cleaning"])
def test_object_deleted_by_the_user_calls_the_generation_off(world: World, phase):
    world.ask()
    if phase == "stabilizing":
        world.unhealthy = "x"
        world.drive(lambda: len(world.states) >= 2)
    else:
        world.stuck = True
        world.drive(lambda: "is not replaced yet" in str(world.conditions()))
    world.client.delete(SEEDGEN, "seedimage")
    world.stuck = False
    world.drive()
    assert world.read() is None
    assert world.host.launches() == []
    world.assert_as_before()


def test_object_replaced_by_the_user_starts_over(world: World):
    world.unhealthy = "x"
    world.ask()
    world.drive(lambda: len(world.states) >= 2)
    world.client.delete(SEEDGEN, "seedimage")
    world.ask(seedImage=f"{world.registry}/org/other:1")
    world.unhealthy = None
    world.drive(world.is_launched)
    (launch,) = world.host.launches()
    assert f"{world.registry}/org/other:1" in launch


@pytest.mark.parametrize("damage", [None, "", "{", '{"phase": "dancing"}'])
def test_lost_journal_brings_everything_back(world: World, damage):
    """I.1: an interrupted run must not keep the operator from working."""
    world.ask()
    world.drive(world.is_launched)
    journal = world.host.folder / "var/lib/lca/ibu-seedgen-orch/journal.json"
    journal.unlink()
    if damage is not None:
        journal.write_text(damage)
    world.restart()
    world.drive()
    assert world.conditions()[1].startswith("SeedGenInProgress=False/Failed/the record of the generation was lost")
    world.assert_as_before()


@pytest.mark.parametrize("name", ["seedgen-cr.json", "seedgen-secret.json"])
def test_damaged_stored_file_does_not_hold_up_the_rest(world: World, name):
    world.ask()
    world.drive(world.is_launched)
    (world.host.folder / "var/lib/lca/ibu-seedgen-orch" / name).write_text("{")
    world.host.builder_ended()
    world.drive()
    assert world.pull_secret() == PULL_SECRET
    assert world.host.workspace() == []
    assert world.has_secret() == (name == "seedgen-cr.json")
    assert (world.conditions() == DONE) == (name == "seedgen-secret.json")


def test_conflicting_write_is_repeated_on_the_fresh_object(world: World):
    world.unhealthy = "x"
    world.ask()
    world.drive(lambda: len(world.states) >= 1)
    show = world.controller._show

    def show_late(context, message):
        live = world.client.get(SEEDGEN, "seedimage")
        world.client.patch_merge(
            SEEDGEN, "seedimage", {"metadata": {"annotations": {"n": live["metadata"]["resourceVersion"]}}}
        )
        show(context, message)

    world.controller._show = show_late
    world.unhealthy = "y"
    with pytest.raises(errors.Conflict):
        world.controller.reconcile(Request("seedimage"))
    world.controller._show = show
    world.pass_once()
    assert world.conditions() == ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize: y"]


def test_other_names_are_ignored(world: World):
    assert world.controller.reconcile(Request("another")) is None


def test_no_secret_comes_into_status_or_stored_status(world: World):
    world.ask()
    world.drive(world.is_launched)
    stored = json.loads((world.host.folder / "var/lib/lca/ibu-seedgen-orch/seedgen-cr.json").read_text())
    assert "auths" not in json.dumps(stored)
    assert all("auths" not in str(state) for state in world.states)
