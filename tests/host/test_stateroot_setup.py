import hashlib
import re
import stat
import threading

import pytest

from agent.node.stateroot.setup import SETUP_STATEROOT
from hostops.rpmostree import RpmOstree
from tests.host.flaky import FlakyProxy
from tests.host.scratchnode import ScratchNode, call
from tests.host.seedimage import ETC, INFO, VAR, VERSION, SeedFiles, build_seed, pack
from tests.host.stateroot_run import CRYPTO, finish_run, start_run

STATEROOT = f"rhcos_{VERSION}"


@pytest.fixture(scope="module")
def seed(tmp_path_factory) -> SeedFiles:
    return build_seed(tmp_path_factory.mktemp("seed"))


@pytest.fixture
def setup_node(node, registry):
    node.trust_registry(registry.address)
    return node


@pytest.fixture(scope="module")
def image(seed, publisher):
    return seed.push(publisher)


def run(node, image, version=VERSION, **options):
    return finish_run(start_run(node, image, version, **options))


def snapshot(node):
    """Everything a run may change, except times: files with owner, mode and content; boot entries; deployments."""
    found = {}
    for folder in sorted((node.sysroot / "ostree/deploy").iterdir()):
        for path in sorted(folder.rglob("*")):
            if {"containers", "cni"} & set(path.parts):  # podman's own
                continue
            status = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else ""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(node.directory))] = (status.st_mode, status.st_uid, status.st_gid, content)
    entries = [path.read_text() for path in sorted((node.sysroot / "boot/loader/entries").iterdir())]
    # The number of the boot folder alternates with every write.
    boot = [re.sub(r"ostree=/ostree/boot\.[01]/", "", entry) for entry in entries]
    deployments = [(item.id, item.stateroot, item.booted) for item in RpmOstree(node.runner).status().items]
    call("ostree", f"--repo={node.sysroot}/ostree/repo", "fsck", "-q")
    return found, boot, deployments


def stored_images(node):
    return node.runner.run("podman", "images", "-q").output


def test_setup_builds_the_stateroot_that_the_seed_describes(setup_node, seed, image):
    code, log = run(setup_node, image)
    assert code == 0, log
    status = RpmOstree(setup_node.runner).status()
    assert [(item.stateroot, item.booted) for item in status.items] == [("rhcos", True), (STATEROOT, False)]
    assert status.items[1].checksum == seed.commit
    (entry,) = [
        p.read_text() for p in (setup_node.sysroot / "boot/loader/entries").iterdir() if "ibu=" in p.read_text()
    ]
    arguments = 'ibu=4.16.1 tsc=nowatchdog cgroup_no_v1="all" quoted=$HOME`id`<& fips=1 boot=LABEL=boot'
    assert f"options {arguments} ostree=" in entry
    assert stored_images(setup_node) == ""
    assert "/merged" not in setup_node.runner.run("mount").output


def test_setup_restores_files_with_content_and_mode(setup_node, image):
    run(setup_node, image)
    stateroot, deployment = setup_node.stateroot_folder(STATEROOT), setup_node.deployment(STATEROOT)
    expected = {stateroot / name: value for name, value in VAR.items()}
    expected |= {deployment / name: value for name, value in ETC.items()}
    crypto = stateroot / "var/opt/openshift/kubeconfig-crypto"
    expected |= {crypto / name: (content, 0o600) for name, content in CRYPTO.items()}
    switches = '{"monitor_enabled":true,"monitor_timeout":1800,"enabled_components":{"config":true,"postpivot":true}}'
    expected[stateroot / "var/lib/lca/autorollback_config.json"] = (switches.encode(), 0o600)
    for path, value in expected.items():
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == value, path
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (crypto, crypto.parent, stateroot / "var/lib/lca")]
    assert modes == [0o700, 0o755, 0o700]


def test_setup_removes_what_the_seed_had_removed(setup_node, image):
    run(setup_node, image)
    etc = setup_node.deployment(STATEROOT) / "etc"
    assert not (etc / "removed-by-seed").exists()
    assert not (etc / "containers").exists()


def test_setup_leaves_origin_and_lists_and_nothing_else(setup_node, seed, image):
    run(setup_node, image)
    deployment = setup_node.deployment(STATEROOT)
    assert deployment.with_name(deployment.name + ".origin").read_text() == "[origin]\nrefspec=seed\n"
    tmp = setup_node.root.path("/var/tmp")
    assert (tmp / "containers.list").read_bytes() == seed.files["containers.list"]
    assert (tmp / "manifest.json").read_text() == INFO.dump()
    assert sorted(path.name for path in tmp.iterdir()) == ["containers.list", "manifest.json"]
    assert sorted(path.name for path in setup_node.stateroot_folder(STATEROOT).iterdir()) == ["deploy", "var"]


def test_setup_links_the_seed_s_objects_instead_of_copying_them(setup_node, seed, image):
    run(setup_node, image, die_after="import_commits")
    objects = setup_node.stateroot_folder(STATEROOT) / "lca-import/ostree/objects"
    assert (objects / seed.commit[:2] / f"{seed.commit[2:]}.commit").stat().st_nlink == 2


def test_setup_runs_the_documented_host_commands(setup_node, seed, image):
    run(setup_node, image)
    words = [" ".join(command) for command in setup_node.commands()]
    assert [word for word in words if not word.startswith(("rpm-ostree status", "ostree admin status"))] == [
        "mount /sysroot -o remount,rw",
        f"ostree admin os-init {STATEROOT}",
        f"chcon -t install_exec_t /ostree/deploy/{STATEROOT}/lca-import/tar",
        f"ostree pull-local --disable-verify-bindings /ostree/deploy/{STATEROOT}/lca-import/ostree",
        "ostree admin --help",
        f"ostree admin deploy --os {STATEROOT} --no-prune --karg-append tsc=nowatchdog"
        ' --karg-append cgroup_no_v1="all" --karg-append quoted=$HOME`id`<& --karg-append fips=1'
        f" --karg-append boot=LABEL=boot --karg ibu={VERSION} {seed.commit} --not-as-default",
        "rpm-ostree cleanup -b",
    ]


def test_setup_without_set_default_makes_the_new_stateroot_the_default(setup_node, image):
    setup_node.break_command("ostree admin", '[ "$2" != --help ] || { echo deploy; exit 0; }')
    assert run(setup_node, image)[0] == 0
    assert [item.stateroot for item in RpmOstree(setup_node.runner).status().items] == [STATEROOT, "rhcos"]


def test_setup_that_is_repeated_ends_in_the_same_state(setup_node, image):
    run(setup_node, image)
    first = snapshot(setup_node)
    assert run(setup_node, image)[0] == 0
    assert snapshot(setup_node) == first


@pytest.fixture(scope="module")
def good_state():
    """What an undisturbed run leaves; kept from the first test that makes it."""
    return []


@pytest.fixture
def reference(good_state, setup_node, image):
    """A function that says what an undisturbed run leaves."""

    def compute():
        if not good_state:
            assert run(setup_node, image)[0] == 0
            good_state.append(snapshot(setup_node))
        return good_state[0]

    return compute


@pytest.mark.parametrize("step", [step.name for step in SETUP_STATEROOT.steps])
def test_setup_killed_after_a_step_and_run_again_ends_in_the_same_state(setup_node, image, reference, step):
    code, log = run(setup_node, image, die_after=step)
    assert code == -9, log
    code, log = run(setup_node, image)
    assert code == 0, log
    assert snapshot(setup_node) == reference()
    assert stored_images(setup_node) == ""


def test_setup_killed_at_any_moment_and_run_again_ends_in_the_same_state(setup_node, image, reference):
    for delay_seconds in (0.5, 0.8, 1.1, 1.4, 1.7, 2.0):
        process = start_run(setup_node, image, VERSION)
        timer = threading.Timer(delay_seconds, process.kill)
        timer.start()
        finish_run(process)
        timer.cancel()
    assert run(setup_node, image)[0] == 0
    assert snapshot(setup_node) == reference()


def test_setup_stopped_by_sigterm_tidies_up(setup_node, image):
    setup_node.break_command("mount /sysroot", "touch /run/reached; sleep 60")
    process = start_run(setup_node, image, VERSION)
    while not (setup_node.run / "reached").exists():
        assert process.poll() is None
    process.terminate()
    code, log = finish_run(process)
    assert (code, log.splitlines()[-1]) == (130, "stateroot-setup: interrupted; run it again to start over")
    assert stored_images(setup_node) == ""


def test_setup_of_an_unknown_image_tells_so_and_changes_nothing(setup_node, publisher):
    before = snapshot(setup_node)
    code, log = run(setup_node, publisher.reference("org/none:1"))
    assert code == 1
    assert re.search(r"failed to pull seed image: failed to pull image: .*manifest unknown", log, re.DOTALL)
    assert snapshot(setup_node) == before


def test_setup_with_a_registry_that_is_away_tells_so(setup_node, publisher):
    code, log = run(setup_node, "127.0.0.1:1/org/seed:1")
    assert code == 1
    assert "connection refused" in log


@pytest.fixture
def make_cut_image(setup_node, registry, image):
    """The seed image as seen through a registry that breaks answers off; call it inside the proxy's `with`."""

    def make(proxy):
        setup_node.trust_registry(proxy.address)
        return image.replace(registry.address, proxy.address)

    return make


def test_setup_through_a_registry_that_breaks_off_tries_again(setup_node, registry, make_cut_image):
    with FlakyProxy(registry.address, cuts=3, after_bytes=4096) as proxy:
        code, log = run(setup_node, make_cut_image(proxy))
        assert code == 0, log
        assert proxy.cuts_left < 0
    assert stored_images(setup_node) == ""


def test_setup_through_a_registry_that_always_breaks_off_fails_and_changes_nothing(
    setup_node, registry, make_cut_image
):
    before = snapshot(setup_node)
    with FlakyProxy(registry.address, cuts=10_000, after_bytes=4096) as proxy:
        code, log = run(setup_node, make_cut_image(proxy))
    assert code == 1
    assert "failed to pull seed image: failed to pull image: " in log
    assert log.count("run: podman pull") == 5
    assert snapshot(setup_node) == before
    assert stored_images(setup_node) == ""


def test_setup_with_a_pull_secret_uses_it_and_removes_it(setup_node, image):
    (setup_node.root.path("/var/lib/kubelet/config.json")).unlink()
    code, log = run(setup_node, image, pull_secret='{"auths":{"x":{"auth":"aHVudGVyMg=="}}}')
    assert code == 0
    assert "--authfile /var/lib/lca/workspace/seed-pull-secret" in log
    assert "aHVudGVyMg" not in log
    assert not setup_node.root.path("/var/lib/lca/workspace/seed-pull-secret").exists()


DAMAGE = {
    "rpm-ostree.json": (b'{"deployments":[]}', "failed finding booted stateroot"),
    "manifest.json": (b'{"seed_cluster_ocp_version":4}', "seed_cluster_ocp_version must be a string"),
    "mco-currentconfig.json": (b"{", "mco-currentconfig.json: not valid JSON"),
    "etc.deletions": (b"/usr/bin/bash\n", "etc.deletions: not below /etc: /usr/bin/bash"),
    "etc.tgz": (b"no archive", "failed to extract seed etc: .*not in gzip format"),
    "ostree.tgz": (b"no archive", "failed to extract ostree.tgz: .*not in gzip format"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_setup_of_a_damaged_seed_tells_what_is_wrong_and_leaves_nothing(setup_node, publisher, seed, name):
    before = snapshot(setup_node)
    content, problem = DAMAGE[name]
    image = SeedFiles({**seed.files, name: content}, seed.commit).push(publisher, f"org/damaged-{name}:1")
    code, log = run(setup_node, image)
    assert code == 1
    assert re.search(f"failed to complete stateroot setup: .*{problem}", log, re.DOTALL)
    assert snapshot(setup_node) == before
    assert stored_images(setup_node) == ""


def test_setup_of_another_version_than_asked_for_is_refused_before_changes(setup_node, image):
    before = snapshot(setup_node)
    code, log = run(setup_node, image, version="4.17.0")
    assert code == 1
    problem = "version specified in seed image (4.16.1) differs from version in spec (4.17.0)"
    assert f"failed to complete stateroot setup: {problem}" in log
    assert snapshot(setup_node) == before


def test_setup_of_the_running_stateroot_is_refused(setup_node, publisher, seed):
    info = INFO.dump().replace(VERSION, "x")
    image = SeedFiles({**seed.files, "manifest.json": info.encode()}, seed.commit).push(publisher, "org/running:1")
    setup_node.break_command(
        "rpm-ostree status", 'echo \'{"deployments":[{"osname":"rhcos_x","booted":true}]}\'; exit 0'
    )
    code, log = run(setup_node, image, version="x")
    assert code == 1
    assert "deployment 0 in stateroot rhcos_x is booted" in log


@pytest.fixture
def small_node(tmp_path, registry):
    """A node on a file system of 64 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk))
    node = ScratchNode(disk / "node")
    node.create()
    node.boot()
    node.trust_registry(registry.address)
    yield node
    node.destroy()
    call("umount", "--lazy", str(disk))


def test_setup_without_space_fails_clearly_and_succeeds_once_there_is_some(small_node, publisher, seed):
    large = pack({"var/large": (bytes(80 * 1024**2), 0o644)})
    image = SeedFiles({**seed.files, "var.tgz": large}, seed.commit).push(publisher, "org/large:1")
    code, log = run(small_node, image)
    assert code == 1
    assert re.search(r"failed to restore var directory: .*/sysroot has only \d+ bytes left", log, re.DOTALL)
    assert RpmOstree(small_node.runner).status().booted.stateroot == "rhcos"
    assert stored_images(small_node) == ""
    call("mount", "-o", "remount,size=256m", str(small_node.directory.parent))
    code, log = run(small_node, image)
    assert code == 0, log
    assert (small_node.stateroot_folder(STATEROOT) / "var/large").stat().st_size == 80 * 1024**2


def test_setup_on_a_disk_that_fills_up_while_deploying_fails_clearly_and_leaves_nothing(small_node, publisher, seed):
    before = snapshot(small_node)
    fill = "case $2 in deploy) dd if=/dev/zero of=/sysroot/filler bs=64k 2>/dev/null;; esac"
    small_node.break_command("ostree admin", fill)
    image = seed.push(publisher, "org/filling:1")
    code, log = run(small_node, image)
    assert code == 1
    assert re.search(r"failed ostree admin deploy: .*/sysroot has only \d+ bytes left", log, re.DOTALL)
    (small_node.sysroot / "filler").unlink()
    assert snapshot(small_node) == before
    assert stored_images(small_node) == ""
