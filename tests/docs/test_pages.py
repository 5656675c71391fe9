"""Every console session of the pages is run in a sandbox, and its output compared with what the page shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.node.sandbox import Sandbox
from tests.docs.consoles import Shell, matches, read_commands

ROOT = Path(__file__).parents[2]
SITE = "/tmp/site"  # the folder that the pages use
PAGES = ("sandbox.md", "upgrade.md", "backup-and-restore.md", "seed-image.md")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """Where a page makes its sandbox; nothing is left of it."""
    yield tmp_path / "site"
    sandbox = Sandbox(tmp_path / "site")
    if sandbox.layout.directory.exists():
        sandbox.down()
        sandbox.purge()


@pytest.fixture
def shell(tmp_path: Path, site: Path) -> Iterator[Shell]:
    """A reader's shell in the checkout, with `lca`, `kubectl` and `oc`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    kubectl = next(path for path in map(Path, ("/usr/bin/kubectl", "/usr/local/bin/kubectl")) if path.exists())
    (programs / "oc").symlink_to(kubectl)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = Shell(ROOT, {"PATH": path, "HOME": str(Path.home()), "LCA_SANDBOX": str(site), "LANG": "C.UTF-8"})
    yield shell
    shell.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES)
def test_page_shows_what_happens(page: str, shell: Shell, site: Path) -> None:
    commands = read_commands((ROOT / "docs" / page).read_text())
    assert commands, "the page has no console session"
    for command in commands:
        code, output = shell.run(command.text.replace(SITE, str(site)))
        shown = "\n".join(output)
        assert code == 0, f"{page}:{command.line}: {command.text}\nends with {code}:\n{shown}"
        expected = [line.replace(SITE, str(site)) for line in command.output]
        assert matches(expected, output), f"{page}:{command.line}: {command.text}\nprints:\n{shown}"
