from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.node.sysroot import NoDeploymentError, choose_deployment, list_bootable


def add_entry(sysroot: Path, stateroot: str, version: int, *, with_root: bool = True) -> None:
    root = sysroot / f"ostree/deploy/{stateroot}/deploy/{stateroot[-1] * 4}.0"
    if with_root:
        (root / "usr").mkdir(parents=True)
    entries = sysroot / "boot/loader/entries"
    entries.mkdir(parents=True, exist_ok=True)
    options = f"root=UUID=x ostree=/{root.relative_to(sysroot)}"
    (entries / f"ostree-{version}.conf").write_text(f"title x\nversion {version}\noptions {options}\n")


def test_highest_version_is_the_default(tmp_path: Path) -> None:
    add_entry(tmp_path, "rhcos_a", 1)
    add_entry(tmp_path, "rhcos_b", 2)
    assert [each.stateroot for each in list_bootable(tmp_path)] == ["rhcos_b", "rhcos_a"]
    assert choose_deployment(tmp_path).stateroot == "rhcos_b"
    assert choose_deployment(tmp_path, "rhcos_a").kernel_arguments.startswith("root=UUID=x ostree=/")


def test_entry_without_a_root_is_passed_over(tmp_path: Path) -> None:
    add_entry(tmp_path, "rhcos_a", 1)
    add_entry(tmp_path, "rhcos_b", 2, with_root=False)
    assert choose_deployment(tmp_path).stateroot == "rhcos_a"


def test_nothing_to_boot_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoDeploymentError, match="of stateroot rhcos_c"):
        choose_deployment(tmp_path, "rhcos_c")
