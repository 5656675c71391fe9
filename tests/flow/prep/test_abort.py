"""Giving a Prep up, wherever it is; the fixture checks that nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from agent.kube import Object
from sandbox.node.commands import read_commands
from tests.flow.prep.conftest import CLUSTER_OPERATOR, is_available
from tests.flow.prep.upgrade import (
    CLEANUP_DONE,
    NAMESPACE,
    Upgrade,
    get_message,
    has_message,
    is_cleanup_failed,
    is_failed,
    is_idle,
    is_prep_over,
    list_reasons,
)

STATEROOT_META = f"job-name: lca-prep-stateroot-setup, job-namespace: {NAMESPACE}"
PRECACHE_META = f"job-name: lca-prep-precache, job-namespace: {NAMESPACE}"

TRIED = re.compile(r"In progress: [1-9][0-9]* of 48000 extra manifests are validated")
UNDEPLOY = ("ostree", "admin", "undeploy")


def assert_aborted(states: list[Object]) -> None:
    """It went over Aborting to Idle, and nowhere else."""
    assert ("Idle", "False", "Aborting") in {reasons for state in states for reasons in list_reasons(state)}
    assert is_idle(states[-1])
    assert states[-1]["status"]["validNextStages"] == ["Prep"]


def test_abort_while_the_cluster_is_unhealthy(upgrade: Upgrade) -> None:
    upgrade.sandbox.faults.set("unhealthy-operator")
    upgrade.wait_object(CLUSTER_OPERATOR, "authentication", None, lambda operator: not is_available(operator))
    waiting = "Waiting for system to stabilize before Prep stage can continue: "
    unready = "one or more health checks failed: one or more ClusterOperators not yet ready: authentication"

    upgrade.prepare(lambda ibu: get_message(ibu, "PrepInProgress") == waiting + unready)

    assert_aborted(upgrade.abort())


@pytest.mark.parametrize(
    ("delayed", "message"),
    [
        ("^podman pull .*/openshift/seed", f"Stateroot setup job in progress. {STATEROOT_META}"),
        ("^ostree admin deploy", f"Stateroot setup job in progress. {STATEROOT_META}"),
        ("^podman pull .*/openshift/etcd", f"Precache job in progress. {PRECACHE_META}. "),
    ],
    ids=["seed image being pulled", "stateroot being deployed", "images being pulled"],
)
def test_abort_while_a_job_runs_does_not_wait_for_its_end(upgrade: Upgrade, delayed: str, message: str) -> None:
    upgrade.sandbox.faults.set("command-delay", f"{delayed}:600")
    upgrade.prepare(has_message("PrepInProgress", message))
    assert_aborted(upgrade.abort())


def test_abort_while_thousands_of_manifests_are_validated_does_not_wait_for_the_last(upgrade: Upgrade) -> None:
    document = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{}}}\n"
    content = "".join(map(document.format, range(16_000)))
    references = [reference for name in "abc" for reference in upgrade.put_config_map(name, content)]

    upgrade.prepare(lambda ibu: TRIED.fullmatch(get_message(ibu, "PrepInProgress")), extraManifests=references)

    assert_aborted(upgrade.abort())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("corrupt-ostree", f"stateroot setup job failed to complete. {STATEROOT_META}: "),
        ("missing-image", f"precache job failed to complete. {PRECACHE_META}: "),
    ],
)
def test_abort_after_a_failed_job(
    upgrade: Upgrade, make_image: Callable[[str], str], broken: str, message: str
) -> None:
    last = upgrade.prepare(is_failed, image=make_image(broken))[-1]
    shown = get_message(last, "PrepInProgress")
    assert shown.startswith(message)
    assert len(shown) > len(message), "the cause stands behind it"
    assert_aborted(upgrade.abort())


def test_abort_that_fails_waits_for_the_users_word(upgrade: Upgrade) -> None:
    upgrade.prepare(is_prep_over)
    upgrade.sandbox.faults.set("undeploy-fails")
    failed = upgrade.abort(is_cleanup_failed)[-1]
    message = get_message(failed, "Idle")
    assert message.startswith("failed to clean up host stateroot resources: failed to remove 1 stateroots")
    assert message.endswith(
        f" Perform cleanup manually then add '{CLEANUP_DONE}' annotation to ibu CR to transition back to Idle"
    )
    assert "validNextStages" not in failed["status"]

    passes, tries = count_commands(upgrade, "rpm-ostree", "status"), count_commands(upgrade, *UNDEPLOY)
    upgrade.sandbox.run("touch", "/ostree/deploy")  # looks changed: the next pass asks for the deployments
    upgrade.annotate(bool, **{"example.com/cleanup-done": "", "lca.openshift.io/trigger-reconcile": "now"})
    upgrade.wait_commands(lambda: count_commands(upgrade, "rpm-ostree", "status") > passes)
    assert count_commands(upgrade, *UNDEPLOY) == tries, "no other annotation counts"

    upgrade.annotate(bool, **{CLEANUP_DONE: ""})
    upgrade.wait_commands(lambda: count_commands(upgrade, *UNDEPLOY) > tries)
    upgrade.wait(lambda ibu: is_cleanup_failed(ibu) and CLEANUP_DONE not in ibu["metadata"]["annotations"])

    upgrade.sandbox.faults.clear()
    idle = upgrade.annotate(is_idle, **{CLEANUP_DONE: "again"})[-1]
    assert CLEANUP_DONE not in idle["metadata"]["annotations"]


def count_commands(upgrade: Upgrade, *start: str) -> int:
    commands = read_commands(upgrade.sandbox.layout.commands_log, nested=True)
    return sum(command.argv[: len(start)] == start for command in commands)
