"""What makes the running cluster the site's: its id and the labels of its node."""

from __future__ import annotations

from agent.kube import errors
from agent.node.postpivot.api import NODE, tell_patience_seconds
from agent.node.postpivot.labels import choose_labels
from agent.node.postpivot.run import PostPivot, StepError
from agent.node.waiting import TimedOut, wait_for
from seeds.cluster import CLUSTER_VERSION

MASTER = "node-role.kubernetes.io/master="
_LABEL_SECONDS = 300.0


def start_kubelet(run: PostPivot) -> None:
    """Start the cluster, now and at every boot from now on."""
    run.systemd.enable("kubelet", now=True)


def set_cluster_id(run: PostPivot) -> None:
    """Let the cluster be known as before."""
    cluster_id = run.site.cluster_id
    if not cluster_id:
        raise StepError("cluster id is empty, automatic generation is not yet implemented")
    patch = {"spec": {"clusterID": cluster_id}}
    run.make_retrier(tell_patience_seconds).call(lambda: run.client.patch_merge(CLUSTER_VERSION, "version", patch))


def set_node_labels(run: PostPivot) -> None:
    """Give the node the labels that the old cluster's administrators gave it."""
    labels = choose_labels(run.site.node_labels)
    if not labels:
        return
    problem = ""

    def look() -> bool | None:
        nonlocal problem
        try:
            nodes = run.client.list(NODE, labels=MASTER)
            if len(nodes) == 1:
                run.client.patch_merge(NODE, nodes[0]["metadata"]["name"], {"metadata": {"labels": labels}})
                return True
            problem = f"{len(nodes)} nodes have the label {MASTER}"
        except errors.ApiError as error:
            problem = str(error)
        return None

    try:
        wait_for(look, "the node", run.clock, timeout_seconds=_LABEL_SECONDS, last_seen=lambda: problem)
    except TimedOut as error:
        raise StepError(
            f"failed to patch node with new labels context deadline exceeded (set_node_labels: {problem})"
        ) from error
