"""Real here: everything that a sandbox has, over real pivots. See tests/flow/upgrade/site.py for what a site is.

A site is prepared once for all tests of a process and then kept; each test gets it back as it was after Prep.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.upgrade.site import NEW, SPEC, Site, Snapshot


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Snapshot]]:
    """A stopped site for which Prep of the new release is complete."""
    site = Site(tmp_path_factory.mktemp("upgrade") / "site")
    site.install()
    image = site.make_image()
    site.set_stage("Prep", seedImageRef={"version": NEW, "image": image}, **SPEC)
    site.follow(lambda ibu: any(c.type == "PrepCompleted" for c in ibu.status.conditions))
    site.stop()
    snapshot = Snapshot(site)
    yield site, snapshot
    site.stop()
    site.sandbox.purge()
    snapshot.remove()


@pytest.fixture
def site(prepared: tuple[Site, Snapshot]) -> Iterator[Site]:
    """The running site, prepared for the upgrade."""
    site, snapshot = prepared
    snapshot.restore()
    site.start()
    yield site
    site.stop()
