"""The door to Kubernetes API servers; the only user of the `kubernetes` package."""

from agent.kube import errors
from agent.kube.access import Access
from agent.kube.client import Client, Propagation
from agent.kube.kind import Event, Kind, Object, Resource
from agent.kube.retry import RetryPolicy
from agent.kube.transport import Observer
from agent.kube.watching import Watch

__all__ = [
    "Access",
    "Client",
    "Event",
    "Kind",
    "Object",
    "Observer",
    "Propagation",
    "Resource",
    "RetryPolicy",
    "Watch",
    "errors",
]
