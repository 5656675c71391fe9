"""The cluster's API: how it is reached, when it answers, and which of its errors may pass."""

from __future__ import annotations

from agent.kube import Client, Kind, RetryPolicy, errors
from agent.kube.manifests import ApplyError
from agent.node.postpivot.run import PostPivot, StepError
from agent.node.waiting import TimedOut, wait_for
from agent.velero.protection import ProtectionError

KUBECONFIG = "/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/lb-ext.kubeconfig"
NODE = Kind("", "v1", "Node")

_PASSING_SECONDS = 600.0
_DOUBTFUL_SECONDS = 120.0
_PASSING = (errors.Transient, errors.Conflict, errors.AlreadyExists)
# What an API server answers while it starts, or before an operator has brought a namespace or a kind.
_DOUBTFUL = (errors.NotFound, errors.Forbidden, errors.Unauthorized, errors.Untrusted)
_ONE_TRY = RetryPolicy(deadline_seconds=15.0, retry_seconds=0.0)


def tell_patience_seconds(error: Exception) -> float:
    """Return how long an error of the API may be waited out: conflicts, restarts, webhooks that are not ready yet."""
    refusal = error.__cause__ if isinstance(error, ProtectionError) else error
    cause = refusal.cause if isinstance(refusal, ApplyError) else refusal
    if isinstance(cause, _PASSING):
        return _PASSING_SECONDS
    return _DOUBTFUL_SECONDS if isinstance(cause, _DOUBTFUL) else 0.0


def check_kubeconfig(run: PostPivot) -> None:
    """Check that the node's own kubeconfig can be used, before kubelet starts."""
    path = run.root.path(KUBECONFIG)
    if not path.exists():
        raise StepError(f"failed to create k8s dynamic client, err: could not find kubeconfigFile: {KUBECONFIG}")
    try:
        Client.connect(path).close()
    except errors.AccessError as error:
        raise StepError(f"failed to create k8s client, err: {error}") from error


def wait_for_api(run: PostPivot) -> None:
    """Return when the API server lists nodes. The kubeconfig is read for each attempt: starting may rewrite it."""
    path = run.root.path(KUBECONFIG)
    problem = ""

    def look() -> bool | None:
        nonlocal problem
        try:
            with Client.connect(path, policy=_ONE_TRY) as client:
                client.list(NODE)
        except (errors.ApiError, errors.AccessError) as error:
            problem = str(error)
            return None
        return True

    try:
        wait_for(look, "the API server", run.clock, timeout_seconds=run.wait_seconds, last_seen=lambda: problem)
    except TimedOut as error:
        raise StepError(str(error)) from error
    run.client = Client.connect(path)
