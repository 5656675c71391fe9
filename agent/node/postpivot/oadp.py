"""OADP's access to the bucket, without which nothing can be restored (upgrade-and-oadp.md 11)."""

from __future__ import annotations

from agent.node.postpivot.api import tell_patience_seconds
from agent.node.postpivot.run import PostPivot
from agent.velero import protection
from seeds.handover import OADP_DPA, OADP_SECRETS


def restore_secrets(run: PostPivot) -> None:
    """Bring back the Secrets that the DataProtectionApplication names."""
    folder = run.root.path(OADP_SECRETS)
    run.make_retrier(tell_patience_seconds).call(lambda: protection.restore_secrets(run.client, folder))


def restore_application(run: PostPivot) -> None:
    """Bring back the DataProtectionApplication itself."""
    folder = run.root.path(OADP_DPA)
    run.make_retrier(tell_patience_seconds).call(lambda: protection.restore_application(run.client, folder))
