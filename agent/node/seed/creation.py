"""The itinerary that makes a seed image of this node (seed-image-and-gitops.md B.3).

Steps leave markers, so a killed creation goes on where it was when it is run again in the same boot. What takes long
and does not need a quiet cluster, the ostree repository, is packed before the cluster goes down.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.kube import Client, errors
from agent.node.ending import ProgramError
from agent.node.recert.flow import RecertError, RecertRun, await_leftover, run_recert
from agent.node.seed.archiving import Archives
from agent.node.seed.crypto import back_up_crypto, has_password
from agent.node.seed.image import push_image, write_image
from agent.node.seed.markers import Markers
from agent.node.seed.places import (
    BACKUP,
    CHECKS,
    CRYPTO,
    HOST_PROGRAM,
    LAYOUT,
    NETWORK_CERTIFICATES,
    PROGRAM,
    SEED_DATA,
)
from agent.node.seed.request import SeedRequest
from agent.node.seed.services import stop_services
from agent.node.waiting import Clock
from agent.workflow.outcome import Done, Failed, Outcome
from agent.workflow.step import Itinerary, Step
from hostops import files
from hostops.crictl import Crictl, CrictlError
from hostops.diskspace import measure_disk_space
from hostops.hostroot import HostRoot
from hostops.podman import Podman
from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.runner import CommandError, Runner
from hostops.systemd import Systemd, UnitError
from seeds import format as seed_format
from seeds.cluster import ClusterFactsError
from seeds.cpu import read_cpu_topology
from seeds.creation.archives import CURRENT_MACHINE_CONFIG
from seeds.creation.cluster_info import collect_seed_info
from seeds.creation.image_list import choose_images, list_catalog_images, list_related_images
from seeds.creation.push_access import PushError, check_push_access
from seeds.creation.room import PLACE, describe_shortage, measure_content
from seeds.creation_recert import build_creation_config
from seeds.deployment import read_booted_deployment
from seeds.format import SeedFormatError
from seeds.units import RESTORE_UNIT, install_target_units, install_unit, read_unit

logger = logging.getLogger(__name__)

_EXPECTED = (
    *(ClusterFactsError, CommandError, CrictlError, DeploymentError, OSError, RecertError, SeedFormatError, UnitError),
    *(errors.ApiError, errors.AccessError, PushError),
)


@dataclass
class Creation:
    """One run: the request and the ways to the host and to the cluster's API. `program` is this program's own file."""

    request: SeedRequest
    root: HostRoot
    host: Runner
    connect: Callable[[], Client]
    program: Path = Path(PROGRAM)
    pause: Callable[[float], None] = time.sleep
    markers: Markers = field(init=False)
    archives: Archives = field(init=False)

    def __post_init__(self) -> None:
        self.markers = Markers(self.root)
        self.archives = Archives(self.host, self.root)

    def backup(self, name: str) -> Path:
        """Where a file of the image is written."""
        return self.root.path(f"{BACKUP}/{name}")


def prepare_folders(run: Creation) -> None:
    """Make the folders; refuse to go on with what another boot left."""
    if not run.markers.begin():
        raise ProgramError(
            f"an earlier creation of a seed image was interrupted by a reboot ({CHECKS} is from another boot); "
            "bring the cluster back with `lca-node seed restore`, then start over"
        )
    if run.markers.is_recert_to_undo() and not run.root.path(BACKUP).exists():
        raise ProgramError(
            "the certificates of an earlier creation were not restored; run `lca-node seed restore` until it succeeds"
        )
    for folder in (BACKUP, LAYOUT, CRYPTO, SEED_DATA):
        files.make_directory(run.root.path(folder), 0o700)
    files.copy_atomically(run.program, run.backup(seed_format.PROGRAM), 0o755)


def check_access(run: Creation) -> None:
    """Refuse before anything is done when the image could not be pushed."""
    check_push_access(run.host, run.root, run.request.image, run.request.authfile, CHECKS)


def check_room(run: Creation) -> None:
    """Refuse before anything is done when the image will not fit on the disk."""
    size = measure_content(run.host)
    run.archives.expect(size)
    # What an interrupted run has written already counts as room.
    written = sum(path.stat().st_size for path in run.root.path(BACKUP).rglob("*") if path.is_file())
    available = measure_disk_space(run.root.path(PLACE)).available_bytes + written
    if shortage := describe_shortage(size, available):
        raise ProgramError(shortage)


def copy_program(run: Creation) -> None:
    """Leave this program where the units look for it."""
    target = run.root.path(HOST_PROGRAM)
    if not (target.exists() and target.samefile(run.program)):
        files.make_directory(target.parent)
        files.copy_atomically(run.program, target, 0o755)


def install_restoration(run: Creation) -> None:
    """From here on the cluster is brought back however this ends: by this program, its killer's unit, or a boot."""
    if not run.request.cleanup:
        return
    text = read_unit(RESTORE_UNIT).replace("@COMMAND@", run.request.restore_command_line())
    install_unit(run.root, Systemd(run.host), RESTORE_UNIT, text)


def install_units(run: Creation) -> None:
    """Enable what a target starts with; it does not start here."""
    install_target_units(run.root, Systemd(run.host))


def create_container_list(run: Creation) -> None:
    """List the images that a target pulls ahead."""
    Podman(run.host).prune_dangling()
    stored = Crictl(run.host).image_references()
    if not stored:
        raise CrictlError("crictl images lists no image")
    with run.connect() as client:
        images = choose_images(
            stored, list_catalog_images(client), list_related_images(client), run.request.recert_image
        )
    files.write_atomically(run.backup(seed_format.IMAGE_LIST), "\n".join(images), durable=False)


def gather_cluster_info(run: Creation) -> None:
    """Describe the cluster, for the image's label, and for the program that runs after the pivot."""
    with run.connect() as client:
        info = collect_seed_info(
            client,
            recert_image=run.request.recert_image,
            container_storage_target=Systemd(run.host).container_storage_target() or "",
            cpu_topology=read_cpu_topology(run.root),
        )
    text = info.dump()
    files.write_atomically(run.root.path(f"{SEED_DATA}/{seed_format.MANIFEST}"), text)
    files.write_atomically(run.backup(seed_format.MANIFEST), text, durable=False)


def back_up_certificates(run: Creation) -> None:
    """Keep the keys with which the cluster is brought back."""
    with run.connect() as client:
        back_up_crypto(client, run.root.path(CRYPTO))


def backup_ostree(run: Creation) -> None:
    """Pack the operating system."""
    run.archives.pack_repository()


def stop_cluster(run: Creation) -> None:
    """Stop kubelet, containers and CRI-O."""
    stop_services(run.host, run.pause)


def run_recert_on_seed(run: Creation) -> None:
    """Let all certificates expire: a target gets its own."""
    run.markers.start_recert()
    config = f"{CRYPTO}/recert_creation_config.json"
    files.write_json(run.root.path(config), build_creation_config(has_password=has_password(run.root.path(CRYPTO))))
    await_leftover(run.host)  # of a creation that was killed and goes on now
    recert = RecertRun(config, run.request.recert_image, run.request.authfile)
    run_recert(run.host, run.root, recert, Clock(sleep=run.pause))


def remove_network_certificates(run: Creation) -> None:
    """Remove what the network's operators make anew."""
    for path in NETWORK_CERTIFICATES:
        files.remove_tree(run.root.path(path))


def backup_var(run: Creation) -> None:
    """Pack `/var`."""
    run.archives.pack_var()


def backup_etc(run: Creation) -> None:
    """Pack what differs from the deployment's own `/etc`."""
    run.archives.pack_etc()


def backup_rpmostree(run: Creation) -> None:
    """Keep which deployment is booted, and where it came from."""
    text = run.host.run("rpm-ostree", "status", "-v", "--json", stdout_only=True).output
    deployment = read_booted_deployment(text)
    booted = RpmOstree(run.host).status().booted
    origin = f"/ostree/deploy/{booted.stateroot}/deploy/{deployment.name}.origin"
    run.host.run("cp", origin, f"{BACKUP}/{deployment.origin_file}")
    files.write_atomically(run.backup(seed_format.DEPLOYMENTS), text, durable=False)


def backup_mco_config(run: Creation) -> None:
    """Keep the machine config that the node is configured by."""
    source = run.root.path(CURRENT_MACHINE_CONFIG)
    files.write_atomically(run.backup(seed_format.MACHINE_CONFIG), source.read_bytes(), durable=False)


def complete_image(run: Creation) -> None:
    """Put the files together to an image."""
    write_image(run.root.path(BACKUP), run.root.path(LAYOUT))


def push_seed_image(run: Creation) -> None:
    """Push the image; its name comes to life at the very end."""
    push_image(run.host, LAYOUT, run.request.image, run.request.authfile, run.pause)


def _step(
    action: Callable[[Creation], None], prefix: str, marker: str = "", *, only_with_recert: bool = False
) -> Step[Creation]:
    """Make a step that fails with `prefix` and the reason; with `marker` it is done once."""

    def run(creation: Creation) -> Outcome:
        if only_with_recert and not creation.request.recert:
            return Done()
        try:
            if not marker:
                action(creation)
                return Done()
            with creation.markers.once(marker) as todo:
                if todo:
                    action(creation)
                else:
                    logger.info("%s is done already", marker)
        except _EXPECTED as error:
            return Failed(f"{prefix}: {error}")
        return Done()

    return Step(action.__name__, run)


def _once(action: Callable[[Creation], None]) -> Step[Creation]:
    return _step(action, f"failed to run once {action.__name__}", action.__name__)


CREATE_SEED: Itinerary[Creation] = Itinerary(
    "seed creation",
    (
        _step(copy_program, "failed to copy lca-cli binary"),
        _step(install_restoration, "failed to prepare the restoration"),
        _step(prepare_folders, "failed to prepare folders"),
        _step(check_access, "the image could not be pushed"),
        _step(check_room, "failed to measure the disk space"),
        _step(install_units, "failed to create systemd files"),
        _once(create_container_list),
        _once(gather_cluster_info),
        _step(
            back_up_certificates, "failed to backup seed cluster certificates", "backup_certs", only_with_recert=True
        ),
        _once(backup_ostree),
        _step(stop_cluster, "failed to stop services to create seed image"),
        _step(run_recert_on_seed, "failed to run once recert", "recert", only_with_recert=True),
        _step(remove_network_certificates, "failed to remove network certificates"),
        _once(backup_var),
        _once(backup_etc),
        _once(backup_rpmostree),
        _once(backup_mco_config),
        _step(complete_image, "failed to create and push seed image: failed to build seed image"),
        _step(push_seed_image, "failed to create and push seed image: failed to push seed image"),
    ),
)
