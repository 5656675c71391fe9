"""The itinerary that builds the new stateroot (prep.md 7).

All traces of it lie in the stateroot's own folder, in the container storage and in two files of `/var/tmp`. It begins
by removing what an earlier, interrupted run left there; therefore it may be killed anywhere and simply started again.
The seed's ostree repository is unpacked next to the system's own, on one mount, so that importing it makes links
instead of copies.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.node.pulling import pull_with_retries
from agent.node.stateroot.request import SetupRequest
from agent.node.stateroot.seed import Seed, read_seed
from agent.node.walk import walk
from agent.workflow.outcome import Done, Failed, Outcome
from agent.workflow.step import Itinerary, Step
from hostops import files
from hostops.archive import LabelledTar
from hostops.diskspace import measure_disk_space
from hostops.hostroot import HostRoot
from hostops.mounts import remount_writable
from hostops.ostree import Ostree, OstreeError
from hostops.podman import Podman, PodmanError
from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.runner import CommandError, Runner
from hostops.stateroots import StaterootError, Stateroots, stateroot_path
from seeds import format as seed_format
from seeds.autorollback import CONFIG_FILE
from seeds.format import SeedFormatError

logger = logging.getLogger(__name__)

NODE_AUTH_FILE = "/var/lib/kubelet/config.json"
PULL_SECRET_FILE = "/var/lib/lca/workspace/seed-pull-secret"  # noqa: S105 - a path
KUBECONFIG_CRYPTO = "var/opt/openshift/kubeconfig-crypto"
COPIED_OUT = "/var/tmp"  # noqa: S108 - where precache looks for the image list
_FULL_BELOW_BYTES = 16 * 1024**2
_EXPECTED = (CommandError, DeploymentError, OSError, OstreeError, SeedFormatError, StaterootError)


@dataclass
class Setup:
    """One run: the request, the ways to the host, and what the steps found out on the way.

    `host` runs commands on the host's files; `init` runs them in the mount namespace of the host's init, where the seed
    image stays mounted between commands.
    """

    request: SetupRequest
    root: HostRoot
    host: Runner
    init: Runner
    pause: Callable[[float], None] = time.sleep
    seed_folder: str = field(default="", init=False)
    seed: Seed | None = field(default=None, init=False)
    deployment: str = field(default="", init=False)
    begun: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.stateroot = stateroot_path(self.request.stateroot)
        self.workspace = f"{self.stateroot}/lca-import"
        self.ostree = Ostree(self.host)
        self.podman = Podman(self.init)
        self.tar = LabelledTar(self.host, self.root, self.workspace)

    @property
    def opened_seed(self) -> Seed:
        """The mounted seed image, after the step that reads it."""
        assert self.seed is not None
        return self.seed

    @property
    def authfile(self) -> str:
        """Host path of the credentials for the seed image."""
        return PULL_SECRET_FILE if self.request.pull_secret else NODE_AUTH_FILE


def pull_seed_image(setup: Setup) -> None:
    """Bring the seed image into the container storage."""
    if setup.request.pull_secret:
        secret = setup.root.path(PULL_SECRET_FILE)
        files.make_directory(secret.parent, 0o700)
        files.write_atomically(secret, setup.request.pull_secret, 0o600)
    if failure := pull_with_retries(setup.podman, setup.authfile, setup.request.image, setup.pause):
        raise failure


def mount_seed_image(setup: Setup) -> None:
    """Mount the seed image on the host."""
    setup.seed_folder = setup.podman.mount_image(setup.request.image)


def read_seed_image(setup: Setup) -> None:
    """Read what the seed image asks for, before anything is changed."""
    setup.seed = read_seed(setup.seed_folder, setup.root.path(setup.seed_folder), setup.request.version)


def remove_remains(setup: Setup) -> None:
    """Remove what an interrupted run left of this stateroot; refuse when it is the running one."""
    Stateroots(setup.host, setup.root).discard(setup.request.stateroot)


def make_sysroot_writable(setup: Setup) -> None:
    """Make the physical root writable for the steps that follow."""
    remount_writable(setup.host)


def create_stateroot(setup: Setup) -> None:
    """Create the empty stateroot and, in it, the workspace."""
    setup.begun = True
    setup.ostree.os_init(setup.request.stateroot)
    files.make_directory(setup.root.path(setup.workspace) / "ostree", 0o700)
    setup.tar.prepare()


def unpack_repository(setup: Setup) -> None:
    """Unpack the seed's ostree repository into the workspace."""
    setup.tar.extract(setup.opened_seed.file(seed_format.OSTREE_ARCHIVE), f"{setup.workspace}/ostree")


def import_commits(setup: Setup) -> None:
    """Take the seed's commits over into the system's repository."""
    setup.ostree.pull_local(f"{setup.workspace}/ostree")


def deploy_commit(setup: Setup) -> None:
    """Deploy the seed's commit behind the running deployment."""
    setup.ostree.deploy(
        setup.request.stateroot,
        setup.opened_seed.deployment.commit,
        setup.opened_seed.kernel_arguments,
        not_as_default=setup.ostree.has_set_default(),
    )
    RpmOstree(setup.host).cleanup_base()
    name = setup.ostree.deployment_name(setup.request.stateroot)
    setup.deployment = f"{setup.stateroot}/deploy/{name}"


def restore_origin(setup: Setup) -> None:
    """Say where the deployment came from, as the seed did."""
    source = setup.opened_seed.file(setup.opened_seed.deployment.origin_file)
    files.copy_atomically(setup.root.path(source), setup.root.path(f"{setup.deployment}.origin"))


def restore_var(setup: Setup) -> None:
    """Unpack the seed's `/var`."""
    setup.tar.extract(setup.opened_seed.file(seed_format.VAR_ARCHIVE), setup.stateroot)


def restore_etc(setup: Setup) -> None:
    """Unpack the seed's changes of `/etc`."""
    setup.tar.extract(setup.opened_seed.file(seed_format.ETC_ARCHIVE), setup.deployment)


def remove_deleted_etc(setup: Setup) -> None:
    """Remove what the seed had removed from `/etc`; what is not there needs no removal."""
    for path in setup.opened_seed.deletions:
        victim = setup.root.path(setup.deployment) / path
        if victim.is_dir() and not victim.is_symlink():
            shutil.rmtree(victim)
        else:
            victim.unlink(missing_ok=True)


def copy_lists(setup: Setup) -> None:
    """Keep image list and manifest where precaching looks for them."""
    for name in (seed_format.IMAGE_LIST, seed_format.MANIFEST):
        source = setup.root.path(setup.opened_seed.file(name))
        files.copy_atomically(source, setup.root.path(f"{COPIED_OUT}/{name}"))


def write_auto_rollback(setup: Setup) -> None:
    """Leave the switches of the automatic rollback to the programs that run after the reboot."""
    target = setup.root.path(f"{setup.stateroot}/{CONFIG_FILE}")
    files.make_directory(target.parent, 0o700)
    files.write_atomically(target, setup.request.auto_rollback.dump(), 0o600)


def write_kubeconfig_crypto(setup: Setup) -> None:
    """Leave the keys that keep this cluster's kubeconfigs valid."""
    folder = setup.root.path(f"{setup.stateroot}/{KUBECONFIG_CRYPTO}")
    files.make_directory(folder, 0o755)
    folder.chmod(0o700)
    for name, content in setup.request.kubeconfig_crypto.items():
        files.write_atomically(folder / name, content, 0o600)


def remove_workspace(setup: Setup) -> None:
    """Remove the unpacked repository; its objects live on in the system's."""
    shutil.rmtree(setup.root.path(setup.workspace))


def flush_to_disk(setup: Setup) -> None:
    """Make what tar and ostree wrote survive a power loss: a Job that is complete is not repeated."""
    setup.host.run("sync", "--file-system", setup.stateroot)


def _step(action: Callable[[Setup], None], prefix: str) -> Step[Setup]:
    """Make a step that fails with `prefix` and the reason; it is named after `action`."""

    def run(setup: Setup) -> Outcome:
        try:
            action(setup)
        except _EXPECTED as error:
            return Failed(f"{prefix}: {error}{_describe_shortage(setup.root)}")
        return Done()

    return Step(name=action.__name__, run=run)


def _describe_shortage(root: HostRoot) -> str:
    """Return a hint when a file system is full, which tar and others tell only in a roundabout way; else nothing."""
    spaces = {}
    for place in ("/sysroot", "/boot", "/var/tmp", "/var/lib/containers"):  # noqa: S108
        with contextlib.suppress(OSError):
            spaces[place] = measure_disk_space(root.path(place)).available_bytes
    full = [f"{place} has only {left} bytes left" for place, left in spaces.items() if left < _FULL_BELOW_BYTES]
    return f" ({'; '.join(full)})" if full else ""


_SETUP = "failed to complete stateroot setup"

SETUP_STATEROOT: Itinerary[Setup] = Itinerary(
    "stateroot setup",
    (
        _step(pull_seed_image, "failed to pull seed image: failed to pull image"),
        _step(mount_seed_image, f"{_SETUP}: failed to mount seed image: failed to mount seed image"),
        _step(read_seed_image, _SETUP),
        _step(make_sysroot_writable, f"{_SETUP}: failed to remount /sysroot: failed to remount sysroot"),
        _step(remove_remains, f"{_SETUP}: failed to remove the remains of an earlier setup"),
        _step(create_stateroot, f"{_SETUP}: failed ostree admin os-init"),
        _step(unpack_repository, f"{_SETUP}: failed to extract ostree.tgz"),
        _step(import_commits, f"{_SETUP}: failed ostree pull-local"),
        _step(deploy_commit, f"{_SETUP}: failed ostree admin deploy"),
        _step(restore_origin, f"{_SETUP}: failed to restore origin file"),
        _step(restore_var, f"{_SETUP}: failed to restore var directory"),
        _step(restore_etc, f"{_SETUP}: failed to extract seed etc"),
        _step(remove_deleted_etc, f"{_SETUP}: failed to process etc.deletions"),
        _step(copy_lists, f"{_SETUP}: failed to copy image list file"),
        _step(write_auto_rollback, "failed to write auto-rollback config"),
        _step(write_kubeconfig_crypto, "failed to backup certificates"),
        _step(remove_workspace, f"{_SETUP}: failed to remove the unpacked repository"),
        _step(flush_to_disk, f"{_SETUP}: failed to write the stateroot to the disk"),
    ),
)


def set_up_stateroot(setup: Setup, itinerary: Itinerary[Setup] = SETUP_STATEROOT) -> None:
    """Build the stateroot and let go of the seed image, whatever happens.

    A failed or interrupted setup takes the half-built stateroot away again: it may have filled the disk on which the
    cluster runs. Raises ProgramError.
    """
    try:
        walk(itinerary, setup)
    except BaseException:
        if setup.begun:
            _discard_stateroot(setup)
        raise
    finally:
        _release_seed_image(setup)


def _discard_stateroot(setup: Setup) -> None:
    try:
        remove_remains(setup)
    except (DeploymentError, StaterootError, OSError) as error:
        logger.warning("the half-built stateroot stays until the upgrade is aborted: %s", error)


def _release_seed_image(setup: Setup) -> None:
    image = setup.request.image
    try:
        files.remove_durably(setup.root.path(PULL_SECRET_FILE))
        if setup.seed_folder or setup.podman.is_mounted(image):
            setup.podman.unmount_image(image)
        if setup.seed_folder or setup.podman.has_image(image):
            setup.podman.remove_image(image)
    except (CommandError, PodmanError, OSError) as error:
        logger.warning("the seed image stays in the container storage: %s", error)
