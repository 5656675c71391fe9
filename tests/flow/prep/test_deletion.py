"""The resource is deleted; its state lives on where work has begun."""

from __future__ import annotations

from tests.flow.prep.prepared import assert_prepared
from tests.flow.prep.upgrade import (
    NAMESPACE,
    UPGRADE,
    Upgrade,
    get_message,
    has_message,
    is_failed,
    is_idle,
    is_prep_over,
)


def delete(upgrade: Upgrade) -> str:
    """Delete the resource; return its uid."""
    uid = str(upgrade.read()["metadata"]["uid"])
    upgrade.client.delete(UPGRADE, "upgrade")
    return uid


def test_deleted_while_idle_is_made_anew(upgrade: Upgrade) -> None:
    uid = delete(upgrade)
    made = upgrade.wait(lambda ibu: ibu["metadata"]["uid"] != uid and is_idle(ibu))
    assert made["spec"] == {"stage": "Idle", "seedImageRef": {}}


def test_deleted_while_a_job_runs_fails_prep_and_can_be_aborted(upgrade: Upgrade) -> None:
    upgrade.sandbox.faults.set("command-delay", "^ostree admin deploy:600")
    upgrade.prepare(has_message("PrepInProgress", "Stateroot setup job in progress."))

    uid = delete(upgrade)

    failed = upgrade.wait(lambda ibu: ibu["metadata"]["uid"] != uid and is_failed(ibu))
    assert get_message(failed, "PrepInProgress") == (
        "stateroot job is marked to be deleted, this is not allowed. "
        f"job-name: lca-prep-stateroot-setup, job-namespace: {NAMESPACE}"
    )
    assert is_idle(upgrade.abort()[-1])


def test_deleted_after_prep_comes_back_as_it_was(upgrade: Upgrade) -> None:
    before = upgrade.prepare(is_prep_over)[-1]
    uid = delete(upgrade)
    restored = upgrade.wait(lambda ibu: ibu["metadata"]["uid"] != uid and is_prep_over(ibu))
    assert_prepared(upgrade, restored)
    assert restored["spec"] == before["spec"]
    assert restored["status"]["history"] == before["status"]["history"]
