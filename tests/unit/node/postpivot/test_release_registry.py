"""The patch of post-pivot-and-rollback.md 5.3; when it is wanted is tested with `seeds.registry`."""

import pytest

from agent.node.postpivot.mirrors import make_registry_patch


def make_deployment(image, *arguments):
    containers = [{"name": "cvo", "image": image, "args": list(arguments)}, {"name": "other", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


@pytest.mark.parametrize(
    ("image", "seed", "site", "expected"),
    [
        ("quay.io/ocp/release@sha256:1", "quay.io", "mirror:8443", "mirror:8443/ocp/release@sha256:1"),
        ("quay.io.example/r", "quay.io", "mirror", "quay.io.example/r"),
        ("quayXio/r", "quay.io", "mirror", "quayXio/r"),
        ("quay.io/r", "", "mirror", "quay.io/r"),
        ("quay.io/r", "quay.io", "", "quay.io/r"),
    ],
)
def test_patch_moves_the_first_container_and_its_release(image, seed, site, expected):
    deployment = make_deployment(image, "start", f"--release-image={image}", "--v=2")
    (container,) = make_registry_patch(deployment, seed, site)["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "cvo", "image": expected, "args": ["start", f"--release-image={expected}", "--v=2"]}
