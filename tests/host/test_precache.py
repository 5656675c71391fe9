import json
import os

import pytest

from agent.node.ending import ProgramError
from agent.node.precache.program import PrecacheRequest, precache
from agent.node.precache.progress import PROGRESS_FILE
from tests.host.flaky import FlakyProxy


@pytest.fixture(scope="module")
def images(publisher):
    """Five images in the registry."""
    return [publisher.push(f"precache/image{number}:1", {"f": str(number).encode()}) for number in range(5)]


@pytest.fixture
def node(node, registry):
    node.trust_registry(registry.address)
    return node


def run(node, images, **options):
    precache(PrecacheRequest(tuple(images), **options), node.root, node.runner, pause=lambda seconds: None)


def progress_of(node):
    return json.loads(node.root.path(PROGRESS_FILE).read_text())


def stored(node):
    return set(node.runner.run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}").output.split())


def test_precache_pulls_every_image_and_counts_them(node, images):
    run(node, images)
    assert stored(node) == set(images)
    assert progress_of(node) == {"total": 5, "pulled": 5, "failed": 0, "failed_pulls": None}
    assert node.root.path(PROGRESS_FILE).stat().st_mode & 0o777 == 0o600


def test_precache_with_an_unknown_image_pulls_the_rest_and_fails(node, images, publisher):
    unknown = publisher.reference("precache/none:1")
    with pytest.raises(ProgramError, match=f"^failed to pre-cache one or more images: {unknown}$"):
        run(node, [unknown, *images])
    assert stored(node) == set(images)
    assert progress_of(node) == {"total": 6, "pulled": 5, "failed": 1, "failed_pulls": [unknown]}


def test_precache_from_a_registry_that_refuses_names_every_image(node):
    images = [f"127.0.0.1:1/org/image{number}:1" for number in range(2)]
    with pytest.raises(ProgramError, match=r"^failed to pre-cache one or more images: 127\.0\.0\.1:1/org/image"):
        run(node, images)
    assert sorted(progress_of(node)["failed_pulls"]) == images


def test_precache_as_best_effort_ends_well_with_an_unknown_image(node, images, publisher):
    run(node, [publisher.reference("precache/none:1"), images[0]], best_effort=True)
    assert progress_of(node)["failed"] == 1


def test_precache_again_does_not_pull_what_is_stored_by_digest(node, images, caplog):
    run(node, images[:1])
    (by_digest,) = node.runner.run(
        "podman", "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}"
    ).output.split()
    caplog.clear()
    run(node, [by_digest])
    assert "podman pull" not in caplog.text
    assert progress_of(node)["pulled"] == 1


def test_precache_without_credentials_says_which_file_is_missing(node, images):
    node.root.path("/var/lib/kubelet/config.json").unlink()
    with pytest.raises(
        ProgramError, match=r"^failed to get authfile for podman: /var/lib/kubelet/config\.json does not"
    ):
        run(node, images)


def test_precache_without_podman_says_so(node, images):
    (node.run / "bin/podman").symlink_to("standin")
    node.break_command("podman images", "echo broken; exit 1")
    with pytest.raises(ProgramError, match="^failed to execute podman command: broken"):
        run(node, images)


def test_precache_of_nothing_writes_the_progress(node):
    run(node, [])
    assert progress_of(node) == {"total": 0, "pulled": 0, "failed": 0, "failed_pulls": None}


def test_precache_through_a_registry_that_breaks_off_tries_again(node, publisher, registry):
    image = publisher.push("precache/large:1", {"f": os.urandom(200_000)})
    with FlakyProxy(registry.address, cuts=4, after_bytes=100_000) as proxy:
        node.trust_registry(proxy.address)
        run(node, [image.replace(registry.address, proxy.address)])
        assert proxy.cuts_left < 0
    assert progress_of(node)["pulled"] == 1
