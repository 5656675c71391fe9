"""The steps before anything in the cluster is touched (seed-image-and-gitops.md A.6, A.7 steps 1-6)."""

from __future__ import annotations

from datetime import timedelta

from agent.seedgen import messages
from agent.seedgen.builder import find_own_image
from agent.seedgen.context import Context
from agent.seedgen.fold import show_progress
from agent.seedgen.journal import Journal, Phase
from agent.seedgen.ports import DEFAULT_RECERT_IMAGE, NODE_AUTH_FILE
from agent.seedgen.validation import check_upgrade, find_objections, get_image, read_seed_auth
from agent.workflow.outcome import Failed, Outcome, Wait
from hostops import files
from hostops.podman import Podman
from hostops.runner import CommandError
from seeds.creation.push_access import PushError, check_push_access
from seeds.creation.workspace import AUTH_FILE, JOURNAL_FILE, WORKSPACE

_HEALTH_POLL = timedelta(seconds=20)


def validate_cluster(context: Context) -> Outcome | None:
    """Refuse what can not become a seed image, with everything that speaks against it."""
    # Without it nothing can be launched later; it comes by itself.
    find_own_image(context.ports.client, context.ports.namespace, context.ports.pod_name)
    objections = find_objections(context.ports, context.cr)
    return Failed("; ".join(objections)) if objections else None


def begin_stabilizing(context: Context) -> None:
    """From here on there is a generation, which a restart goes on with."""
    ports, cr = context.ports, context.cr
    context.journal = Journal(
        phase=Phase.STABILIZING,
        uid=cr.metadata.uid,
        seed_image=get_image(cr),
        recert_image=cr.spec.recert_image or ports.recert_image or DEFAULT_RECERT_IMAGE,
        builder_image=find_own_image(ports.client, ports.namespace, ports.pod_name),
    )
    context.journals.write(context.journal)
    context.resource.write_status(show_progress(cr, messages.WAITING_FOR_HEALTH, context.now()))


def await_health(context: Context) -> Outcome | None:
    """Wait, for as long as it takes, until the cluster is healthy."""
    failure = context.ports.find_health_failure(context.ports.client)
    return Wait(messages.waiting_for_health(failure), _HEALTH_POLL) if failure else None


def clear_workspace(context: Context) -> None:
    """Remove what an earlier generation left on the host, but for the journal of this one."""
    folder, journal = context.ports.root.path(WORKSPACE), context.ports.root.path(JOURNAL_FILE)
    for path in folder.iterdir():
        if path == journal:
            continue
        if path.is_dir():
            files.remove_tree(path)
        else:
            path.unlink()


def begin_preparing(context: Context) -> None:
    """The cluster is healthy; from here on that is not looked at again."""
    context.note(phase=Phase.PREPARING)


def pull_recert_image(context: Context) -> Outcome | None:
    """Get the recert image while the cluster and its network are up."""
    image = context.generation.recert_image
    try:
        Podman(context.ports.runner).pull(image, NODE_AUTH_FILE)
    except CommandError as error:
        return Failed(f"failed to pull recert image: failed to pull recertImage ({image}): {error}")
    return None


def write_auth_file(context: Context) -> Outcome | None:
    """Leave the credentials for the push on the host."""
    auth = read_seed_auth(context.ports)
    if isinstance(auth, str):
        return Failed(auth)
    files.write_atomically(context.ports.root.path(AUTH_FILE), auth)
    return None


def check_push(context: Context) -> Outcome | None:
    """Make sure, before the cluster is touched, that the image can be pushed: hours may have passed."""
    ports = context.ports
    try:
        check_push_access(ports.runner, ports.root, context.generation.seed_image, AUTH_FILE, WORKSPACE)
    except PushError as error:
        return Failed(str(error))
    return None


def begin_cleaning(context: Context) -> Outcome | None:
    """From here on the cluster is changed, and nobody else may work on it."""
    if objections := list(check_upgrade(context.ports)):  # the user may have begun one meanwhile
        return Failed("; ".join(objections))
    context.note(phase=Phase.CLEANING, waits={})
    return None


def begin_launching(context: Context) -> None:
    """From here on the custom resource is on the host; that it vanishes from the cluster is our doing."""
    context.note(phase=Phase.LAUNCHING, waits={})
