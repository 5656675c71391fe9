"""Is this cluster fit to become a seed? All objections of one look together (seed-image-and-gitops.md A.6, I.6-I.9)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from agent.kube import Client, Kind, errors
from agent.seedgen import messages
from agent.seedgen.kind import AUTH_KEY, SECRET, SECRET_NAME, UPGRADE, UPGRADE_NAME
from agent.seedgen.ports import NODE_AUTH_FILE, Ports
from agent.seedgen.pull_secret import SANITIZED
from agent.velero.installation import SERVICE_VERSION, is_oadp_installed
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE
from crds.seedgenerator import SeedGenerator
from hostops import files
from hostops.diskspace import measure_disk_space
from hostops.ostree import Ostree
from hostops.runner import CommandError
from hostops.systemd import Systemd, UnitError
from seeds.creation.push_access import PushError, check_auth, check_push_access
from seeds.creation.room import PLACE, describe_shortage, measure_content
from seeds.creation.workspace import AUTH_FILE, WORKSPACE

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
NAMESPACE = Kind("", "v1", "Namespace")
VOLUME = Kind("", "v1", "PersistentVolume")
LOCAL_VOLUME = Kind("local.storage.openshift.io", "v1", "LocalVolume")
LVM_CLUSTER = Kind("lvm.topolvm.io", "v1alpha1", "LVMCluster")

KLUSTERLETS = "klusterlets.operator.open-cluster-management.io"
ADDON_PREFIX = "open-cluster-management-addon-"
DNSMASQ_SCRIPT = "/usr/local/bin/dnsmasq_config.sh"
_OLDEST_OADP = (1, 3, 1)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-.+)?")


def find_objections(ports: Ports, cr: SeedGenerator) -> list[str]:
    """Return everything that speaks against a seed image of this cluster, in the documented order.

    Raises transient ApiErrors, after which it is to be tried again.
    """
    checks = (_check_host, _check_hub, _check_node_files, _check_storage, _check_oadp, check_upgrade)
    objections = [objection for check in checks for objection in check(ports)]
    return objections + list(_check_image(ports, cr)) + list(_check_room(ports))


def _check_host(ports: Ports) -> Iterator[str]:
    if not Ostree(ports.runner).has_set_default():
        yield messages.NO_SET_DEFAULT
    try:
        target = Systemd(ports.runner).container_storage_target()
    except (CommandError, UnitError) as error:
        yield messages.check_failed("container storage", str(error))
    else:
        if not target:
            yield messages.NO_SHARED_STORAGE


def _check_hub(ports: Ports) -> Iterator[str]:
    try:
        if ports.client.find(CRD, KLUSTERLETS) is not None:
            yield messages.ATTACHED_TO_HUB
    except errors.Transient:
        raise
    except errors.ApiError:
        yield "Failure occurred during check for klusterlets CRD in system validation"
    try:
        names = [namespace["metadata"]["name"] for namespace in ports.client.list(NAMESPACE)]
    except errors.Transient:
        raise
    except errors.ApiError as error:
        yield messages.check_failed("ACM addons", str(error))
    else:
        if addons := [name for name in names if name.startswith(ADDON_PREFIX)]:
            yield messages.addons_present(addons)


def _check_node_files(ports: Ports) -> Iterator[str]:
    if not ports.root.resolve(DNSMASQ_SCRIPT).exists():
        yield messages.NO_DNSMASQ
    try:
        pull_secret = ports.root.path(NODE_AUTH_FILE).read_bytes()
    except OSError:
        return
    if pull_secret.strip() == SANITIZED:
        yield messages.SANITIZED_PULL_SECRET


def _check_storage(ports: Ports) -> Iterator[str]:
    kinds = (
        (VOLUME, "configured PVs", messages.HAS_VOLUMES),
        (LOCAL_VOLUME, "configured LocalVolumes", messages.HAS_LOCAL_VOLUMES),
        (LVM_CLUSTER, "configured LVMClusters", messages.HAS_LVM_CLUSTERS),
    )
    for kind, what, objection in kinds:
        yield from _object_to_any(ports.client, kind, None, what, objection)


def _check_oadp(ports: Ports) -> Iterator[str]:
    client = ports.client
    if not is_oadp_installed(client):
        return
    what = "configured DataProtectionApplications"
    yield from _object_to_any(client, DATA_PROTECTION, OADP_NAMESPACE, what, messages.HAS_DATA_PROTECTION)
    try:
        versions = client.list(SERVICE_VERSION, OADP_NAMESPACE)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        yield f"Failure occurred when checking OADP version in system validation: {error}"
        return
    for version in versions:
        number = str((version.get("spec") or {}).get("version", ""))
        if "oadp-operator" in version["metadata"]["name"] and not is_new_enough(number):
            yield messages.OLD_OADP


def is_new_enough(version: str) -> bool:
    """Whether an OADP version is 1.3.1 or later; what comes before a release, 1.3.1-rc1, is not."""
    found = _VERSION.fullmatch(version)
    if not found:
        return False
    numbers = tuple(int(part) for part in found.groups()[:3])
    return numbers > _OLDEST_OADP or (numbers == _OLDEST_OADP and not found[4])


def check_upgrade(ports: Ports) -> Iterator[str]:
    """Object to an upgrade that is under way. Raises ApiError."""
    upgrade = ports.client.find(UPGRADE, UPGRADE_NAME) or {}
    conditions = {each["type"]: each["status"] for each in (upgrade.get("status") or {}).get("conditions") or ()}
    if conditions and conditions.get("Idle") != "True":
        yield messages.upgrade_not_idle(str((upgrade.get("spec") or {}).get("stage") or "unknown"))


def _check_image(ports: Ports, cr: SeedGenerator) -> Iterator[str]:
    auth = read_seed_auth(ports)
    if isinstance(auth, str):
        yield auth
    image = get_image(cr)
    if not image:
        yield messages.NO_IMAGE
    elif isinstance(auth, bytes):
        yield from _try_push(ports, image, auth)


def get_image(cr: SeedGenerator) -> str:
    """Return what to push, as registries know it; "" when nothing is said."""
    return (cr.spec.seed_image or "").removeprefix("docker://")


def read_seed_auth(ports: Ports) -> bytes | str:
    """Return the content of the auth file in the Secret, or what is wrong with it. Raises transient ApiErrors."""
    try:
        secret = ports.client.get(SECRET, SECRET_NAME, ports.namespace)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return f"could not access secret {SECRET_NAME} in {ports.namespace}: {error}"
    encoded = (secret.get("data") or {}).get(AUTH_KEY)
    if not encoded:
        return f"could not find {AUTH_KEY} in {SECRET_NAME} secret"
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        content = b""
    problem = check_auth(content)
    return f"{AUTH_KEY} in {SECRET_NAME} secret can not be used: {problem}" if problem else content


def _try_push(ports: Ports, image: str, auth: bytes) -> Iterator[str]:
    try:
        files.make_directory(ports.root.path(WORKSPACE), 0o700)
        files.write_atomically(ports.root.path(AUTH_FILE), auth)
        check_push_access(ports.runner, ports.root, image, AUTH_FILE, WORKSPACE)
    except (PushError, OSError) as error:
        yield f"Rejected: {error}"
    finally:
        files.remove_durably(ports.root.path(AUTH_FILE))


def _check_room(ports: Ports) -> Iterator[str]:
    try:
        size = measure_content(ports.runner)
        available = measure_disk_space(ports.root.path(PLACE)).available_bytes
    except (CommandError, OSError) as error:
        yield messages.check_failed("disk space", str(error))
        return
    if shortage := describe_shortage(size, available):
        yield f"Rejected: {shortage}"


def _object_to_any(client: Client, kind: Kind, namespace: str | None, what: str, objection: str) -> Iterator[str]:
    try:
        if client.list(kind, namespace):
            yield objection
    except errors.KindNotServed:
        return
    except errors.Transient:
        raise
    except errors.ApiError as error:
        yield messages.check_failed(what, str(error))
