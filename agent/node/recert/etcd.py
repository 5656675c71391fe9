"""The cluster's etcd, started alone and without authentication, for recert to edit."""

from __future__ import annotations

import contextlib
import http.client
import logging
from collections.abc import Iterator

import yaml

from agent.node.waiting import Clock, TimedOut, wait_for
from hostops.hostroot import HostRoot
from hostops.runner import CommandError, Runner

logger = logging.getLogger(__name__)

CONTAINER = "recert_etcd"
POD_FILE = "/etc/kubernetes/manifests/etcd-pod.yaml"
_HOST, _PORT = "localhost", 2379
_START_SECONDS = 60.0


class EtcdError(Exception):
    """etcd can not be used; the text says why."""


def read_etcd_image(root: HostRoot) -> str:
    """Return the image that the cluster's own etcd runs from. Raises EtcdError."""
    path = root.path(POD_FILE)
    try:
        pod = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
        containers = pod["spec"]["containers"]
        return next(str(each["image"]) for each in containers if each["name"] == "etcd")
    except (OSError, yaml.YAMLError, LookupError, TypeError, StopIteration) as error:
        raise EtcdError(f"failed to get the image of container etcd from {POD_FILE}: {error!r}") from error


@contextlib.contextmanager
def serve_etcd(runner: Runner, image: str, authfile: str, clock: Clock) -> Iterator[None]:
    """Let etcd serve the cluster's data on port 2379 of the node; it is stopped in any case. Raises EtcdError."""
    try:
        _start(runner, image, authfile, clock)
        yield
    finally:
        stop_etcd(runner)


def stop_etcd(runner: Runner) -> None:
    """Stop the container, also one that a killed program left; the cluster's own etcd could not start beside it."""
    logger.info("Stopping the unauthenticated etcd server")
    try:
        runner.run("podman", "stop", CONTAINER)
    except CommandError as error:
        logger.info("no unauthenticated etcd server was stopped: %s", error)


def _start(runner: Runner, image: str, authfile: str, clock: Clock) -> None:
    logger.info("Run unauthenticated etcd server for recert tool")
    words = ["podman", "run", "--rm", "--network=host", "--privileged", "--replace"]
    words += ["--authfile", authfile] if authfile else []
    words += ["--detach", "--name", CONTAINER, "--entrypoint", "etcd", "-v", "/var/lib/etcd:/store"]
    try:
        runner.run(*words, image, "--name", "editor", "--data-dir", "/store")
    except CommandError as error:
        raise EtcdError(f"failed to run etcd, err: {error}") from error
    try:
        wait_for(_look, "the unauthenticated etcd server", clock, timeout_seconds=_START_SECONDS)
    except TimedOut as error:
        text = "failed to wait for unauthenticated etcd server: timeout waiting for etcd"
        raise EtcdError(f"failed to run etcd, err: {text}") from error
    logger.info("Unauthenticated etcd server for recert is up and running")


def _look() -> bool | None:
    connection = http.client.HTTPConnection(_HOST, _PORT, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK or None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
