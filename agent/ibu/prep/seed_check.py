"""Looks at the seed image in its registry and compares it with the cluster, before anything is pulled (prep.md 4.6)."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from agent.ibu.itineraries import StageContext
from agent.ibu.ports import WORKSPACE, Ports
from agent.ibu.prep.findings import Findings
from agent.kube import Kind, errors
from crds.imagebasedupgrade import SeedImageRef
from hostops.diskspace import DiskSpace, measure_disk_space
from hostops.files import write_atomically
from hostops.runner import CommandError
from hostops.skopeo import InspectError, RemoteImage, Skopeo
from hostops.systemd import Systemd, UnitError
from seeds.cluster import ClusterFactsError, collect_cluster_facts
from seeds.compat import Problem, Severity, check_labels
from seeds.cpu import read_cpu_topology
from seeds.format import SeedFormatError
from seeds.space import check_space

logger = logging.getLogger(__name__)

SECRET = Kind("", "v1", "Secret")

DEFAULT_AUTH_FILE = "/var/lib/kubelet/config.json"
SEED_AUTH_FILE = f"{WORKSPACE}/seed-pull-secret"
AUTH_KEY = ".dockerconfigjson"
_SPACE_PLACES = ("/var/lib/containers", "/var/tmp", "/sysroot", "/boot")  # noqa: S108 - host folders to measure
# Failures that pass by themselves: of the network, or of a registry that restarts or has too much to do. Whatever else
# skopeo says is an answer.
_PASSING = re.compile(
    r"connection (refused|reset)|broken pipe|no route to host|network is unreachable|timeout|timed out|"
    r"deadline exceeded|no such host|server misbehaving|temporary failure in name resolution|unexpected EOF|: EOF|"
    r"HTTP status: (5\d\d|429)|service unavailable|bad gateway|gateway time-?out|internal server error|"
    r"too ?many ?requests",
    re.IGNORECASE,
)


class SeedUnavailableError(Exception):
    """The registry can not be asked now; trying again may help."""


def check_seed_image(context: StageContext, container_storage_target: str) -> Findings:
    """Inspect the seed image and compare it with the cluster, the requested version, and the room on the node.

    Raises SeedUnavailableError and transient ApiErrors, after which Prep tries again.
    """
    ports, seed = context.ports, _get_seed(context)
    try:
        with _provide_auth_file(context) as auth_file:
            image = _inspect(ports, seed.image or "", auth_file)
        facts = collect_cluster_facts(ports.client, container_storage_target)
        facts = replace(facts, cpu_topology=read_cpu_topology(ports.root))
        problems = check_labels(image.labels, facts, seed.version)
    except (_LabelsError, ClusterFactsError, SeedFormatError) as error:
        return Findings(problems=[str(error)])
    problems += check_space(image.compressed_bytes, _measure_places(ports))
    return Findings(_select(problems, Severity.ERROR), _select(problems, Severity.WARNING))


def find_container_storage_target(ports: Ports) -> str | None:
    """Return the device mounted at the container storage, or None when it is no mount of its own or unknown."""
    try:
        return Systemd(ports.runner).container_storage_target()
    except (CommandError, UnitError) as error:
        logger.warning("the container storage's mount can not be told: %s", error)
        return None


class _LabelsError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(f"failed to get seed image labels: {reason}")


def _inspect(ports: Ports, image: str, auth_file: str) -> RemoteImage:
    try:
        return Skopeo(ports.runner).inspect(image, auth_file)
    except InspectError as error:
        raise _LabelsError(str(error)) from error
    except CommandError as error:
        problem = _LabelsError(f"failed to inspect image: {error}")
        if _PASSING.search(str(error)):
            raise SeedUnavailableError(f"failed to validate seed image info: {problem}") from error
        raise problem from error


@contextmanager
def _provide_auth_file(context: StageContext) -> Iterator[str]:
    """Yield the host path of the credentials: the cluster's, or the user's Secret for as long as it is needed."""
    reference = _get_seed(context).pull_secret_ref
    if reference is None:
        yield DEFAULT_AUTH_FILE
        return
    ports = context.ports
    try:
        secret = ports.client.get(SECRET, reference.name, ports.namespace)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        raise _LabelsError(f"failed to retrieve pull-secret from secret {reference.name}, err: {error}") from error
    encoded = (secret.get("data") or {}).get(AUTH_KEY)
    if encoded is None:
        raise _LabelsError(
            f"failed to retrieve pull-secret from secret {reference.name}, "
            f"err: did not find key {AUTH_KEY} in Secret {reference.name}/{ports.namespace}"
        )
    path = ports.root.path(SEED_AUTH_FILE)
    try:
        write_atomically(path, base64.b64decode(encoded), mode=0o600)
    except OSError as error:
        raise _LabelsError(f"failed to write seed image pull-secret to file {SEED_AUTH_FILE}: {error}") from error
    try:
        yield SEED_AUTH_FILE
    finally:
        path.unlink(missing_ok=True)


def _get_seed(context: StageContext) -> SeedImageRef:
    return context.cr.spec.seed_image_ref or SeedImageRef()


def _measure_places(ports: Ports) -> dict[str, DiskSpace]:
    """Return the room of the places that exist; a node need not have each on a file system of its own."""
    visible = {place: ports.root.path(place) for place in _SPACE_PLACES}
    return {place: measure_disk_space(path) for place, path in visible.items() if path.exists()}


def _select(problems: list[Problem], severity: Severity) -> list[str]:
    return [problem.text for problem in problems if problem.severity is severity]
