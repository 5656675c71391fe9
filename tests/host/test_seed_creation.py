"""Seed creation and restoration on a scratch node. Real: ostree, tar, skopeo, registry, kills. Played: systemctl and
crictl (they record what they are asked for), and the steps that ask the API. No recert here."""

from __future__ import annotations

import json
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import pytest

from agent.node.seed.creation import CREATE_SEED
from agent.node.seed.restoration import RESTORE_SEED
from hostops.archive import KEEP_ATTRIBUTES
from seeds.format import FORMAT_LABEL, INFO_LABEL
from tests.host.scratchnode import ScratchNode, call
from tests.host.seed_run import PROGRAM, run_seed, start_run
from tests.host.seednode import (
    IMAGES,
    IN_THE_IMAGE,
    INFO,
    NOT_IN_THE_IMAGE,
    TEMPORARY,
    VERSION,
    make_seed_node,
    pretend_api_steps,
    write,
)
from tests.host.stateroot_run import finish_run
from tests.host.stateroot_run import start_run as start_setup

UNITS = ("installation-configuration.service", "lca-init-monitor.service", "lca-restore-seed.service")


@pytest.fixture
def seed_node(node, registry):
    make_seed_node(node, registry.address)
    pretend_api_steps(node)
    return node


@pytest.fixture
def image(registry, request):
    return f"{registry.address}/seed/{zlib.crc32(request.node.name.encode())}:1"


@pytest.fixture
def unpacked(seed_node, image, storage, tmp_path):
    """The files of an image made of the seed node."""
    code, log = run_seed(seed_node, image)
    assert code == 0, log
    return unpack(image, tmp_path / "unpacked")


def unpack(image: str, target: Path) -> Path:
    target.mkdir()
    call("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{image}", f"dir:{target}/layout")
    manifest = json.loads((target / "layout/manifest.json").read_text())
    for layer in manifest["layers"]:
        with tarfile.open(target / "layout" / layer["digest"].partition(":")[2]) as archive:
            archive.extractall(target, filter="fully_trusted")
    return target


def inspect(image):
    return json.loads(call("skopeo", "inspect", "--tls-verify=false", f"docker://{image}"))


def has_tag(image):
    repository, _, tag = image.partition("/")[2].rpartition(":")
    host = image.partition("/")[0]
    try:
        with urllib.request.urlopen(f"http://{host}/v2/{repository}/tags/list") as answer:
            return tag in (json.load(answer)["tags"] or [])
    except urllib.error.HTTPError:
        return False


def assert_restored(node: ScratchNode) -> None:
    """Nothing of the creation is left but the program, and the cluster was started last."""
    assert [name for name in TEMPORARY if node.root.path(f"/var/tmp/{name}").exists()] == []
    assert not node.root.path("/var/seed_data").exists()
    assert [name for name in UNITS if node.root.path(f"/etc/systemd/system/{name}").exists()] == []
    commands = [command for command in node.commands() if command[0] == "systemctl"]
    kubelet = [words for words in commands if "kubelet.service" in words]
    assert kubelet[-1] == ["systemctl", "enable", "kubelet.service", "--now"]


def test_creation_pushes_an_image_with_both_labels_and_the_files_of_the_format(unpacked, image, seed_node):
    labels = inspect(image)["Labels"]
    assert labels == {FORMAT_LABEL: "4", INFO_LABEL: INFO.dump()}
    origin = f"ostree-{seed_node.deployment('rhcos').name}.origin"
    names = {path.name for path in unpacked.iterdir()} - {"layout"}
    assert names == {
        *("ostree.tgz", "var.tgz", "etc.tgz", "etc.deletions", "rpm-ostree.json", "mco-currentconfig.json"),
        *("containers.list", "manifest.json", "lca-cli", origin),
    }
    assert (unpacked / "containers.list").read_text() == IMAGES
    assert (unpacked / "manifest.json").read_text() == INFO.dump()
    assert (unpacked / "lca-cli").read_bytes() == PROGRAM.read_bytes()
    assert (unpacked / "lca-cli").stat().st_mode & 0o777 == 0o755
    assert (unpacked / origin).read_text() == (seed_node.deployment("rhcos").parent / origin[7:]).read_text()
    booted = json.loads((unpacked / "rpm-ostree.json").read_text())["deployments"]
    assert [entry["booted"] for entry in booted] == [True]


def test_creation_packs_what_belongs_to_the_seed_and_nothing_else(unpacked):
    with tarfile.open(unpacked / "var.tgz") as var, tarfile.open(unpacked / "etc.tgz") as etc:
        found = {f"/{name}" for name in (*var.getnames(), *etc.getnames())}
    assert set(IN_THE_IMAGE) <= found
    assert not set(NOT_IN_THE_IMAGE) & found
    assert {"/var/log", "/var/tmp"} <= found
    assert {"/var/seed_data/manifest.json", "/var/usrlocal/bin/lca-cli"} <= found
    assert f"/etc/systemd/system/{UNITS[0]}" in found
    assert not [path for path in found if "lca-restore-seed" in path or "/var/lib/lca" in path]
    assert (unpacked / "etc.deletions").read_text() == "/etc/removed-by-seed\n"


def test_image_can_be_read_by_the_tar_and_ostree_of_a_target(unpacked, seed_node, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    call("tar", "xzf", str(unpacked / "ostree.tgz"), "-C", str(target), *KEEP_ATTRIBUTES)
    call("ostree", f"--repo={target}", "fsck", "-q")
    assert call("tar", "xzf", str(unpacked / "etc.tgz"), "-O", "etc/hosts") == "127.0.0.1 seed"
    assert "0 errors" not in call("gzip", "-tv", str(unpacked / "var.tgz"))


def test_prep_builds_a_stateroot_from_the_created_image(seed_node, image, tmp_path, registry):
    code, log = run_seed(seed_node, image)
    assert code == 0, log
    target = ScratchNode(tmp_path / "target", version="4.15.0")
    target.create()
    target.boot()
    try:
        target.trust_registry(registry.address)
        code, log = finish_run(start_setup(target, image, VERSION))
        assert code == 0, log
        stateroot = f"rhcos_{VERSION}"
        deployment, folder = target.deployment(stateroot), target.stateroot_folder(stateroot)
        assert deployment.name == seed_node.deployment("rhcos").name
        for path, text in IN_THE_IMAGE.items():
            place = deployment if path.startswith("/etc") else folder
            assert (place / path[1:]).read_text() == text, path
        assert not (deployment / "etc/removed-by-seed").exists()
        assert (folder / "var/usrlocal/bin/lca-cli").stat().st_mode & 0o111
    finally:
        target.destroy()


def test_creation_stops_the_cluster_late_and_starts_it_again(seed_node, image):
    seed_node.break_command("systemctl is-active", '[ "$2" != crio ] || echo active; exit 0')
    seed_node.break_command("crictl ps", "echo id1; echo id2; exit 0")
    seed_node.break_command("crictl pods", "echo pod1; exit 0")
    code, log = run_seed(seed_node, image)
    assert code == 0, log
    words = [" ".join(command) for command in seed_node.commands()]
    chosen = [w for w in words if w.startswith(("systemctl", "crictl", "ostree admin config-diff"))]
    enabled = [f"systemctl enable {name}" for name in (UNITS[2], UNITS[0], UNITS[1])]
    stopped = ["systemctl stop kubelet.service", "systemctl disable kubelet.service", "systemctl is-active crio"]
    assert chosen[:7] == [*enabled, *stopped, "crictl ps -q"]
    assert sorted(chosen[7:9]) == ["crictl stop --timeout 5 id1", "crictl stop --timeout 5 id2"]
    assert chosen[9:] == [
        "crictl pods -q",
        "crictl rmp -f pod1",
        "systemctl stop crio.service",
        "ostree admin config-diff",
        "systemctl disable installation-configuration.service --now",
        "systemctl disable lca-init-monitor.service --now",
        "systemctl enable kubelet.service --now",
        "systemctl disable lca-restore-seed.service",
        "systemctl daemon-reload",
    ]
    assert "OCI image created successfully!" in log
    assert "Seed cluster restored successfully!" in log
    assert_restored(seed_node)


def test_restoration_unit_names_the_request(seed_node, image):
    run_seed(seed_node, image, die_at="install_restoration/after")
    unit = seed_node.root.path("/etc/systemd/system/lca-restore-seed.service").read_text()
    command = (
        f"/usr/local/bin/lca-cli restore --image {image} --authfile /var/lib/kubelet/config.json "
        "--recert-image quay.io/edge-infrastructure/recert:v0 --skip-recert-validation"
    )
    assert f"\nExecStart={command}\n" in unit


POINTS = [f"{step.name}/{moment}" for step in CREATE_SEED.steps for moment in ("before", "after")]
RESTORATION_POINTS = [f"{step.name}/{moment}" for step in RESTORE_SEED.steps for moment in ("before", "after")]
QUICK = {"stop_cluster/after", "backup_var/before", "push_seed_image/before", "remove_leftovers/after"}


def mark(points):
    return [pytest.param(p, id=p, marks=() if p in QUICK else pytest.mark.slow) for p in points]


@pytest.mark.parametrize("point", mark(POINTS))
def test_builder_killed_leaves_no_half_image_and_a_node_that_can_be_restored(seed_node, image, point):
    assert run_seed(seed_node, image, die_at=point)[0] == -9
    assert has_tag(image) == (point == "push_seed_image/after")
    code, log = run_seed(seed_node, image, do="restore")
    assert code == 0, log
    assert_restored(seed_node)


@pytest.mark.parametrize("point", mark(POINTS))
def test_builder_killed_goes_on_where_it_was_when_run_again(seed_node, image, point, storage, tmp_path):
    assert run_seed(seed_node, image, die_at=point)[0] == -9
    code, log = run_seed(seed_node, image)
    assert code == 0, log
    assert_restored(seed_node)
    unpacked = unpack(image, tmp_path / "unpacked")
    with tarfile.open(unpacked / "var.tgz") as var:
        assert {path[1:] for path in IN_THE_IMAGE if path.startswith("/var")} <= set(var.getnames())


@pytest.mark.parametrize("point", mark(RESTORATION_POINTS))
def test_restoration_killed_ends_well_when_run_again(seed_node, image, point):
    assert run_seed(seed_node, image, die_at=point)[0] == -9
    assert has_tag(image)
    code, log = run_seed(seed_node, image, do="restore")
    assert code == 0, log
    assert_restored(seed_node)


def test_sigterm_brings_the_cluster_back(seed_node, image):
    seed_node.break_command("ostree admin", "touch /run/reached; sleep 60")
    process = start_run(seed_node, image)
    (seed_node.run / "wait").touch()
    while not (seed_node.run / "reached").exists():
        assert process.poll() is None
    process.terminate()
    _, log = process.communicate(timeout=60)
    assert process.returncode == 130, log
    assert not has_tag(image)
    assert_restored(seed_node)


def test_creation_refuses_what_another_boot_left(seed_node, image):
    write(seed_node, "/var/tmp/checks/boot-id", "another")
    code, log = run_seed(seed_node, image)
    assert code == 1
    assert "was interrupted by a reboot" in log.splitlines()[-1]
    assert not has_tag(image)
    assert_restored(seed_node)


@pytest.mark.parametrize(
    ("command", "script", "failure"),
    [
        ("systemctl stop", "echo no kubelet; exit 1", "failed to stop services to create seed image: no kubelet"),
        ("ostree admin", "echo broken; exit 1", "failed to run once backup_etc: broken"),
        ("rpm-ostree status", "echo no daemon; exit 1", "failed to run once backup_rpmostree: no daemon"),
    ],
)
def test_failing_command_is_named_and_the_cluster_comes_back(seed_node, image, command, script, failure):
    seed_node.break_command(command, script)
    code, log = run_seed(seed_node, image)
    assert code == 1
    assert f"\n{failure}\n: exit status 1\n" in log
    assert not has_tag(image)
    assert_restored(seed_node)


def test_file_that_the_machine_config_demands_is_missing_fails_with_its_name(seed_node, image):
    seed_node.root.path("/var/lib/cni/bin/demanded by the machine config").unlink()
    code, log = run_seed(seed_node, image)
    assert code == 1
    assert "demands files that are missing: /var/lib/cni/bin/demanded by the machine config" in log.splitlines()[-1]
    assert_restored(seed_node)


def test_damaged_machine_config_fails_with_a_clear_text(seed_node, image):
    write(seed_node, "/etc/machine-config-daemon/currentconfig", '{"spec": {}}')
    code, log = run_seed(seed_node, image)
    assert code == 1
    assert log.splitlines()[-1] == "failed to run once backup_var: unable to find config in MCD currentconfig"
    assert_restored(seed_node)


def test_unreachable_registry_fails_and_the_cluster_comes_back(seed_node):
    code, log = run_seed(seed_node, "127.0.0.1:1/seed:1")
    assert code == 1
    assert (
        "the image could not be pushed: a test image could not be pushed to the repository of 127.0.0.1:1/seed" in log
    )
    assert "connection refused" in log
    assert "systemctl stop" not in log
    assert_restored(seed_node)


def test_missing_authfile_fails_and_the_cluster_comes_back(seed_node, image):
    code, log = run_seed(seed_node, image, authfile="/var/lib/nothing.json")
    assert code == 1
    assert "credentials in /var/lib/nothing.json can not be read: No such file or directory" in log.splitlines()[-1]
    assert "systemctl stop" not in log
    assert_restored(seed_node)


def test_unit_that_can_not_be_disabled_does_not_stop_the_restoration(seed_node, image):
    seed_node.break_command("systemctl disable", '[ "$2" = kubelet.service ] || { echo busy; exit 1; }; exit 0')
    code, log = run_seed(seed_node, image)
    assert code == 1
    assert "encountered 1 errors during restoration: remove_restoration: busy" in log
    assert seed_node.root.path("/etc/systemd/system/lca-restore-seed.service").exists()
    assert not seed_node.root.path("/etc/systemd/system/lca-init-monitor.service").exists()


def test_skipped_cleanup_leaves_the_cluster_down_and_nothing_that_brings_it_back(seed_node, image):
    code, log = run_seed(seed_node, image, cleanup="no")
    assert code == 0, log
    assert has_tag(image)
    assert not seed_node.root.path("/etc/systemd/system/lca-restore-seed.service").exists()
    assert ["systemctl", "enable", "kubelet.service", "--now"] not in seed_node.commands()
    crypto = seed_node.root.path("/var/tmp/backupCertsDir")
    assert stat.S_IMODE(crypto.stat().st_mode) == 0o700


def test_certificates_that_were_not_restored_come_first(seed_node, image):
    """The keys are still needed; a new creation would replace them by what is no longer right."""
    for path in ("backup", "checks"):
        shutil.rmtree(seed_node.root.path(f"/var/tmp/{path}"))
    write(seed_node, "/var/tmp/checks/recert.started", "")
    write(seed_node, "/var/tmp/backupCertsDir/key", "x")
    code, log = run_seed(seed_node, image, cleanup="no")
    assert code == 1
    assert "the certificates of an earlier creation were not restored" in log.splitlines()[-1]
    assert seed_node.root.path("/var/tmp/backupCertsDir/key").exists()
