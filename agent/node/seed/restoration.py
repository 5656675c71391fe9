"""Brings the seed node's cluster back (seed-image-and-gitops.md D): everything is tried, errors are counted.

It needs nothing but the host, may be run at any time and any number of times, and finds out by itself what is to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.node.ending import ProgramError
from agent.node.recert.etcd import stop_etcd
from agent.node.recert.flow import RecertError, RecertRun, await_leftover, run_recert
from agent.node.seed.crypto import read_password
from agent.node.seed.markers import Markers
from agent.node.seed.places import BACKUP, CHECKS, CRYPTO, NETWORK_CERTIFICATES, SEED_DATA
from agent.node.seed.request import SeedRequest
from agent.node.seed.services import KUBELET, stop_services
from agent.node.waiting import Clock
from agent.node.walk import walk
from agent.workflow.outcome import Done, Outcome
from agent.workflow.step import Itinerary, Step
from hostops import files
from hostops.hostroot import HostRoot
from hostops.podman import Podman
from hostops.runner import CommandError, Runner
from hostops.systemd import Systemd
from seeds import format as seed_format
from seeds.creation_recert import build_restoration_config
from seeds.format import SeedClusterInfo, SeedFormatError
from seeds.units import FOLDER, RESTORE_UNIT, TARGET_UNITS

logger = logging.getLogger(__name__)

_EXPECTED = (CommandError, OSError, RecertError, SeedFormatError)
_ERRORS_SHOWN = 5


@dataclass
class Restoration:
    """One run: what was asked for when the cluster was taken down, and what went wrong while it is brought back."""

    request: SeedRequest
    root: HostRoot
    host: Runner
    pause: Callable[[float], None] = time.sleep
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.markers = Markers(self.root)


def remove_image(run: Restoration) -> None:
    """Remove the image if it lies in the container storage: builders of other versions build it there."""
    podman = Podman(run.host)
    try:
        if podman.has_image(run.request.image):
            podman.remove_image(run.request.image)
    except CommandError as error:
        logger.warning("the image stays in the container storage: %s", error)


def remove_target_units(run: Restoration) -> None:
    """Take back what only a target may start with."""
    systemd = Systemd(run.host)
    for name in TARGET_UNITS:
        path = run.root.path(f"{FOLDER}/{name}")
        if not path.exists():
            continue
        try:
            systemd.disable(name, now=True)
        except CommandError as error:
            logger.warning("%s is removed although it can not be disabled: %s", name, error)
        files.remove_durably(path)


def restore_certificates(run: Restoration) -> None:
    """Make the certificates usable again, with the keys that all kubeconfigs know."""
    await_leftover(run.host)
    stop_etcd(run.host)
    if not (run.request.recert and run.markers.is_recert_to_undo()):
        return
    # Somebody may have started the cluster already.
    stop_services(run.host, run.pause)
    folder = run.root.path(CRYPTO)
    config = build_restoration_config(
        CRYPTO, ingress_common_name=_read_ingress_name(run.root), password_hash=read_password(folder)
    )
    path = f"{CRYPTO}/recert_config.json"
    files.write_json(run.root.path(path), config)
    # The builder's credentials may be gone; the images are there since the creation.
    authfile = run.request.authfile if run.root.path(run.request.authfile).exists() else ""
    run_recert(run.host, run.root, RecertRun(path, run.request.recert_image, authfile), Clock(sleep=run.pause))
    run.markers.forget_recert()


def _read_ingress_name(root: HostRoot) -> str:
    for place in (f"{SEED_DATA}/{seed_format.MANIFEST}", f"{BACKUP}/{seed_format.MANIFEST}"):
        path = root.path(place)
        if path.exists():
            return SeedClusterInfo.parse(path.read_bytes()).ingress_certificate_cn
    logger.warning("the name of the ingress certificate is not known; its key will be a new one")
    return ""


def remove_keys(run: Restoration) -> None:
    """Remove the copies of the cluster's keys, unless they are still needed."""
    if run.markers.is_recert_to_undo():
        logger.warning("%s and %s are kept: repeat the restoration when the cause is mended", CRYPTO, CHECKS)
    else:
        for place in (CRYPTO, CHECKS):
            files.remove_tree(run.root.path(place))


def remove_leftovers(run: Restoration) -> None:
    """Remove what the creation wrote, and what the network's operators make anew."""
    for place in (BACKUP, *NETWORK_CERTIFICATES):
        files.remove_tree(run.root.path(place))
    if not run.markers.is_recert_to_undo():  # else its manifest is needed once more
        files.remove_tree(run.root.path(SEED_DATA))


def start_kubelet(run: Restoration) -> None:
    """Start the cluster; CRI-O comes up with it."""
    Systemd(run.host).enable(KUBELET, now=True)


def remove_restoration(run: Restoration) -> None:
    """The node is what it was: nothing is left to be brought back, at a boot or otherwise."""
    path = run.root.path(f"{FOLDER}/{RESTORE_UNIT}")
    if path.exists() and not run.problems:
        systemd = Systemd(run.host)
        systemd.disable(RESTORE_UNIT)
        files.remove_durably(path)
        systemd.reload()


def _step(action: Callable[[Restoration], None]) -> Step[Restoration]:
    """Make a step that notes what goes wrong, and is done in any case: the later ones count more."""

    def run(restoration: Restoration) -> Outcome:
        try:
            action(restoration)
        except _EXPECTED as error:
            logger.error("%s: %s", action.__name__, error)
            restoration.problems.append(f"{action.__name__}: {error}")
        return Done()

    return Step(action.__name__, run)


RESTORE_SEED: Itinerary[Restoration] = Itinerary(
    "seed restoration",
    (
        _step(remove_target_units),
        _step(restore_certificates),
        _step(remove_leftovers),
        _step(remove_keys),
        _step(start_kubelet),
        _step(remove_image),
        _step(remove_restoration),
    ),
)


def restore_seed(restoration: Restoration) -> None:
    """Bring the cluster back. Raises ProgramError that tells how many things went wrong, and which."""
    logger.info("Cleaning up seed cluster")
    walk(RESTORE_SEED, restoration)
    problems = restoration.problems
    if problems:
        more = f" and {len(problems) - _ERRORS_SHOWN} more" if len(problems) > _ERRORS_SHOWN else ""
        listed = "; ".join(problems[:_ERRORS_SHOWN])
        raise ProgramError(
            f"Failed to restore seed cluster: encountered {len(problems)} errors during restoration: {listed}{more}"
        )
    logger.info("Seed cluster restored successfully!")
