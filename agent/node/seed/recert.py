"""One run of recert: the cluster's etcd alone, recert's container, etcd down whatever happens (B.9)."""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Callable

import yaml

from hostops.hostroot import HostRoot
from hostops.runner import CommandError, Runner

logger = logging.getLogger(__name__)

ETCD_CONTAINER = "recert_etcd"
RECERT_CONTAINER = "recert"
_POD_FILE = "/etc/kubernetes/manifests/etcd-pod.yaml"
_MOUNTS = (
    *("/etc:/host-etc", "/etc/ssh:/ssh", "/etc/kubernetes:/kubernetes", "/var/lib/kubelet:/kubelet"),
    *("/var/tmp:/var/tmp", "/etc/machine-config-daemon:/machine-config-daemon", "/etc/pki:/pki"),  # noqa: S108
)
_ETCD_SECONDS = 60


class RecertError(Exception):
    """recert did not do its work; the text says which part failed and why."""


def run_recert(
    runner: Runner,
    root: HostRoot,
    config_file: str,
    image: str,
    authfile: str,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Let recert do what the host's file `config_file`, below `/var/tmp`, says. Raises RecertError."""
    auth = ("--authfile", authfile) if authfile else ()
    common = ("podman", "run", "--rm", "--network=host", "--privileged", "--replace")
    etcd = ("--detach", "--name", ETCD_CONTAINER, "--entrypoint", "etcd", "-v", "/var/lib/etcd:/store")
    mounts = [word for mount in _MOUNTS for word in ("-v", mount)]
    try:
        server = ("--name", "editor", "--data-dir", "/store")
        runner.run(*common, *auth, *etcd, _read_etcd_image(root), *server)
        _await_etcd(pause)
        variables = ("-e", f"RECERT_CONFIG={config_file}")
        runner.run(*common, "--name", RECERT_CONTAINER, *mounts, *variables, *auth, image)
    except CommandError as error:
        raise RecertError(f"failed to run {error.argv[0]} {error.argv[1]}: {error}") from error
    finally:
        stop_etcd(runner)


def stop_etcd(runner: Runner) -> None:
    """Stop the container, also one that a killed run left: the cluster's own etcd could not start beside it."""
    try:
        runner.run("podman", "rm", "-i", "-f", "--time", "10", RECERT_CONTAINER, ETCD_CONTAINER)
    except CommandError as error:
        logger.warning("the etcd of recert may still run: %s", error)


def _read_etcd_image(root: HostRoot) -> str:
    try:
        pod = yaml.load(root.path(_POD_FILE).read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        return next(str(each["image"]) for each in pod["spec"]["containers"] if each["name"] == "etcd")
    except (OSError, yaml.YAMLError, LookupError, TypeError, StopIteration) as error:
        raise RecertError(f"failed to get the image of container etcd from {_POD_FILE}: {error!r}") from error


def _await_etcd(pause: Callable[[float], None]) -> None:
    for _ in range(_ETCD_SECONDS):
        if _is_healthy():
            return
        pause(1.0)
    raise RecertError("failed to wait for unauthenticated etcd server: timeout waiting for etcd")


def _is_healthy() -> bool:
    connection = http.client.HTTPConnection("localhost", 2379, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
