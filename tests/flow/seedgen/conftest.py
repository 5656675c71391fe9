"""Real here: everything that a sandbox has - the operator in its Pod, the builder in its transient unit, etcd that is
taken down and comes back, ostree, tar, skopeo, the registry. recert is the sandbox's stand-in, which really replaces
and restores keys and certificates; podman's `run` starts the builder on the node itself.

One node serves the whole folder. Every test finds it healthy and without a SeedGenerator, and has to leave it so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.seedgen.seedsite import SeedSite


@pytest.fixture(scope="session")
def seed_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeedSite]:
    site = SeedSite(tmp_path_factory.mktemp("seed") / "site")
    site.install()
    yield site
    site.client.close()
    site.sandbox.down()
    site.sandbox.purge()


@pytest.fixture
def site(seed_site: SeedSite) -> Iterator[SeedSite]:
    """The seed cluster; after the test it is unharmed."""
    yield seed_site
    seed_site.sandbox.faults.clear()
    seed_site.wait_ended()
    seed_site.assert_unharmed()
    seed_site.delete()
