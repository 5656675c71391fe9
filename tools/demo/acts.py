"""What the demonstration shows: commands as a user types them, with a word about each."""

from __future__ import annotations

from dataclasses import dataclass

FIRST, SECOND = "4.16.1", "4.16.2"


@dataclass(frozen=True, slots=True)
class Scene:
    """A word to the audience and the command that follows; `fails`: it is meant to end with 1."""

    word: str
    command: str
    fails: bool = False


def patch(spec: str) -> str:
    """The command that every step of an upgrade begins with."""
    return f"kubectl patch ibu upgrade --type=merge -p '{{\"spec\": {{{spec}}}}}'"


def prepare(version: str, more: str = "") -> str:
    """Ask for Prep of the seed image that the shell variable names, with the content and the manifests."""
    return patch(
        f'"stage": "Prep", "seedImageRef": {{"version": "{version}", "image": "\'$SEED\'"}}, '
        '"oadpContent": [{"name": "oadp-content", "namespace": "openshift-adp"}], '
        '"extraManifests": [{"name": "site-monitoring", "namespace": "openshift-lifecycle-agent"}]' + more
    )


HAND_OVER = (
    "kubectl -n openshift-adp create configmap oadp-content --from-file=docs/examples/oadp && "
    "kubectl -n openshift-lifecycle-agent create configmap site-monitoring "
    "--from-file=docs/examples/extra-manifests/monitoring.yaml"
)
WATCH = "lca status --watch --timeline"
LOOK = (
    "kubectl -n ledger rollout status deployment/db >/dev/null && kubectl -n ledger logs deployment/db && "
    "kubectl get clusterversion"
)

ACTS: tuple[tuple[str, tuple[Scene, ...]], ...] = (
    (
        "A single-node cluster",
        (
            Scene("A whole node in a folder: ostree, etcd, API server, registry, S3.", "lca sandbox up"),
            Scene(
                "Two applications; one keeps a book on a volume.", "kubectl apply -f docs/examples/applications.yaml"
            ),
            Scene("", "kubectl -n ledger rollout status deployment/db && kubectl -n ledger logs deployment/db"),
            Scene(
                "How they come along: Backups and Restores; and what else the new release shall have.",
                HAND_OVER,
            ),
            Scene("A seed image of the next release.", f"SEED=$(lca sandbox seed --version {FIRST})"),
        ),
    ),
    (
        f"The upgrade to {FIRST}",
        (
            Scene("Prep: check everything, build the new stateroot; the cluster goes on working.", prepare(FIRST)),
            Scene("", WATCH),
            Scene("Upgrade: back up, hand over, reboot into the new release, restore.", patch('"stage": "Upgrade"')),
            Scene("", WATCH),
            Scene("The book still has its first line.", LOOK),
            Scene("Idle: finalize. From now on there is no way back.", patch('"stage": "Idle"')),
            Scene("", WATCH),
        ),
    ),
    (
        f"An upgrade to {SECOND} that goes wrong",
        (
            Scene("A seed image of the release after that.", f"SEED=$(lca sandbox seed --version {SECOND})"),
            Scene("The ConfigMaps stayed behind in the old release.", HAND_OVER),
            Scene(
                "This time the new release will never become healthy.", "lca sandbox fault never-healthy-after-pivot"
            ),
            Scene("", prepare(SECOND, ', "autoRollbackOnFailure": {"initMonitorTimeoutSeconds": 60}')),
            Scene("", WATCH),
            Scene("The watchdog gives the new release 60 seconds.", patch('"stage": "Upgrade"')),
            Scene("", WATCH, fails=True),
            Scene("The node is back on the old release, and the resource says why.", "lca status"),
            Scene("The applications are as they were.", LOOK),
            Scene("Idle: remove what was left of it.", "lca sandbox fault --clear && " + patch('"stage": "Idle"')),
            Scene("", WATCH),
        ),
    ),
)
