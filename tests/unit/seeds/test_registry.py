"""The registry override table of prep.md 8."""

import pytest

from seeds.registry import needs_override, override_registry


@pytest.mark.parametrize(
    ("cluster_sources", "seed_has_mirror", "expected"),
    [
        pytest.param([], False, False, id="row1-no-mirrors"),
        pytest.param([], True, True, id="row2-seed-mirrored"),
        pytest.param(["quay.io"], True, False, id="row3-seed-registry-mirrored"),
        pytest.param(["quay.io"], False, False, id="row3-seed-registry-mirrored-plain-seed"),
        pytest.param(["other.io"], True, True, id="row4-seed-registry-not-mirrored"),
        pytest.param(["other.io"], False, True, id="row4-seed-registry-not-mirrored-plain-seed"),
    ],
)
def test_needs_override_follows_the_table(cluster_sources: list[str], seed_has_mirror: bool, expected: bool) -> None:
    decided = needs_override(cluster_sources=cluster_sources, seed_has_mirror=seed_has_mirror, seed_registry="quay.io")
    assert decided is expected


def test_override_registry_compares_whole_component() -> None:
    images = ["quay.io/a@sha256:1", "quay.io.example/b", "quay-io/c", "quay.io:5000/d"]
    assert override_registry(images, seed_registry="quay.io", cluster_registry="mirror.local:8443") == [
        "mirror.local:8443/a@sha256:1",
        "quay.io.example/b",
        "quay-io/c",
        "quay.io:5000/d",
    ]
