import json

import pytest

from hostops.crictl import Crictl, CrictlError
from hostops.imagecleanup import CleanupReport, clean_up_images
from hostops.podman import Podman
from hostops.runner import CommandError, HostRunner
from hostops.skopeo import InspectError, Skopeo, parse_inspection
from tests.host.flaky import FlakyProxy, SilentServer

podman = Podman(HostRunner())


def test_pull_mount_unmount_remove_of_an_image(storage):
    image = storage.push("org/seed:1", {"manifest.json": b"{}"})
    assert not podman.has_image(image)
    podman.pull(image, storage.authfile)
    folder = podman.mount_image(image)
    assert podman.mount_image(image) == folder
    assert storage.call("cat", f"{folder}/manifest.json") == "{}"
    assert podman.is_mounted(image)
    podman.unmount_image(image)
    assert not podman.is_mounted(image)
    podman.remove_image(image)
    assert not podman.has_image(image)


def test_pull_of_an_unknown_tag_tells_manifest_unknown(storage):
    with pytest.raises(CommandError, match=r"manifest unknown\n: exit status 125$"):
        podman.pull(storage.reference("org/none:1"), storage.authfile)


def test_images_with_two_names_are_listed_once_and_go_with_all_names(storage):
    image = storage.push("org/app:1", {"f": b"x"})
    podman.pull(image, storage.authfile)
    storage.call("podman", "tag", image, "localhost/other:2")
    (stored,) = podman.images()
    assert set(stored.names) == {image, "localhost/other:2"}
    podman.remove_image(*stored.handles)
    assert podman.images() == []


def test_inspect_of_a_remote_image_returns_labels_without_pulling(storage):
    image = storage.push("org/labelled:1", {"f": b"x" * 5000}, {"com.example/info": '{"a":"b c"}'})
    remote = Skopeo(HostRunner()).inspect(image, storage.authfile)
    assert remote.labels["com.example/info"] == '{"a":"b c"}'
    assert remote.digest.startswith("sha256:")
    assert remote.compressed_bytes > 0
    assert not podman.has_image(image)


def test_inspect_of_an_absent_image_raises(storage):
    with pytest.raises(CommandError, match="manifest unknown"):
        Skopeo(HostRunner()).inspect(storage.reference("org/none:1"), storage.authfile)


def test_inspect_through_a_registry_that_breaks_off_raises_and_works_the_next_time(storage):
    image = storage.push("org/cut:1", {"f": b"x"}, {"large": "x" * 9000})
    with FlakyProxy(storage.registry.address, cuts=1, after_bytes=8000) as proxy:
        storage.trust(proxy.address)
        image = image.replace(storage.registry.address, proxy.address)
        with pytest.raises(CommandError, match="unexpected EOF"):
            Skopeo(HostRunner()).inspect(image, storage.authfile)
        assert Skopeo(HostRunner()).inspect(image, storage.authfile).labels["large"] == "x" * 9000


def test_inspect_of_a_registry_that_never_answers_ends(storage):
    with SilentServer() as server:
        storage.trust(server.address)
        with pytest.raises(CommandError, match=r"timed out after 2 s$"):
            Skopeo(HostRunner()).inspect(f"{server.address}/org/none:1", storage.authfile, timeout_seconds=2)


def test_inspection_of_a_newer_skopeo_brings_the_sizes():
    assert parse_inspection('{"LayersData":[{"Size":5},{"Size":6}]}').compressed_bytes == 11


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Labels": ["a"]}', '{"LayersData": [{"Size": "many"}]}'])
def test_inspection_that_can_not_be_read_raises(text):
    with pytest.raises(InspectError, match="^failed to unmarshal image inspect output: "):
        parse_inspection(text)


@pytest.fixture
def crictl(node):
    """CRI-O with the given containers and images."""

    def answer(containers, images):
        node.break_command("crictl ps", f"echo '{json.dumps({'containers': containers})}'; exit 0")
        node.break_command("crictl images", f"echo '{json.dumps({'images': images})}'; exit 0")
        return Crictl(node.runner)

    return answer


def test_cleanup_removes_unused_images_until_the_threshold_holds(storage, crictl):
    names = [storage.push(f"org/{name}:1", {"f": name.encode()}) for name in ("used", "pinned", "old", "new")]
    for name in names:
        podman.pull(name, storage.authfile)
    ids = {image.names[0]: image.id for image in podman.images()}
    cri = crictl([{"image": {"image": names[0]}}], [{"id": ids[names[1]], "pinned": True}, {"id": ids[names[2]]}])
    levels = iter([90, 80, 50])
    assert clean_up_images(podman, cri, 50, lambda: next(levels)) == CleanupReport(2, 0, 50)
    assert {image.names[0] for image in podman.images()} == set(names[:2])


def test_cleanup_below_the_threshold_asks_nobody():
    assert clean_up_images(None, None, 50, lambda: 50) == CleanupReport(0, 0, 50)


def test_crictl_that_prints_rubbish_raises(node, crictl):
    node.break_command("crictl ps", "echo oops; exit 0")
    with pytest.raises(CrictlError, match="^unable to parse crictl ps command output: "):
        Crictl(node.runner).images_in_use()
