from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.node.inside import unitfiles

UNIT = r"""
[Unit]
After=a.service b.service
After=c.service
[Service]
ExecStart=/bin/true \
  --flag
# note
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def root(tmp_path: Path) -> str:
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    (folder / "x.service").write_text(UNIT)
    return str(tmp_path)


def test_lists_add_up_and_lines_continue(root: str) -> None:
    sections = unitfiles.read_unit("x.service", unitfiles.search_path(root))
    assert unitfiles.words(sections, "Unit", "After") == ["a.service", "b.service", "c.service"]
    assert unitfiles.last(sections, "Service", "ExecStart").split() == ["/bin/true", "--flag"]


def test_drop_in_with_an_empty_value_starts_the_list_anew(root: str) -> None:
    drop_in = Path(root) / "etc/systemd/system/x.service.d"
    drop_in.mkdir()
    (drop_in / "10-order.conf").write_text("[Unit]\nAfter=\nAfter=z.service\n")
    sections = unitfiles.read_unit("x.service", unitfiles.search_path(root))
    assert unitfiles.words(sections, "Unit", "After") == ["z.service"]


def test_enable_and_disable_are_links_and_idempotent(root: str) -> None:
    assert len(unitfiles.enable_unit("x.service", root)) == 1
    assert unitfiles.enable_unit("x.service", root) == []
    link = Path(root) / "etc/systemd/system/multi-user.target.wants/x.service"
    assert str(link.readlink()) == "/etc/systemd/system/x.service"
    assert unitfiles.enabled_state("x.service", root) == "enabled"
    assert len(unitfiles.disable_unit("x.service", root)) == 1
    assert unitfiles.disable_unit("x.service", root) == []
    assert unitfiles.enabled_state("x.service", root) == "disabled"


def test_masked_unit_can_not_be_enabled(root: str) -> None:
    (Path(root) / "etc/systemd/system/x.service").unlink()
    unitfiles.mask_unit("x.service", root)
    assert unitfiles.enabled_state("x.service", root) == "masked"
    with pytest.raises(unitfiles.NoSuchUnitError, match="masked"):
        unitfiles.enable_unit("x.service", root)
