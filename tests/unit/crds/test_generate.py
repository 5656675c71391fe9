"""The generated files: what `--check` notices, and what differs between the two forms of a CRD."""

from pathlib import Path

import pytest
import yaml

from crds import generate
from crds.imagebasedupgrade import ImageBasedUpgrade


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with freshly generated files."""
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "crds")
    (tmp_path / "crds").mkdir()
    assert generate.main([]) == 0
    return tmp_path / "crds"


def test_check_of_fresh_files_passes_silently(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_of_an_edited_file_fails_with_the_difference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = folder / "imagebasedupgrade.yaml"
    edited.write_text(edited.read_text().replace("- ibu\n", "- imgbu\n"))
    assert generate.main(["--check"]) == 1
    printed = capsys.readouterr().err
    assert "-    - imgbu" in printed
    assert "+    - ibu" in printed
    assert "make crds" in printed


def test_check_of_a_missing_file_fails_and_writes_nothing(folder: Path) -> None:
    (folder / "legacy" / "seedgenerator.yaml").unlink()
    assert generate.main(["--check"]) == 1
    assert not (folder / "legacy" / "seedgenerator.yaml").exists()


def test_legacy_crd_is_the_same_without_the_rules(folder: Path) -> None:
    full = yaml.safe_load((folder / "imagebasedupgrade.yaml").read_text())
    legacy = yaml.safe_load((folder / "legacy" / "imagebasedupgrade.yaml").read_text())
    assert len(full["spec"]["versions"][0]["schema"]["openAPIV3Schema"].pop("x-kubernetes-validations")) == 6
    assert legacy == full


def test_schema_is_structural() -> None:
    text = str(generate.build_schema(ImageBasedUpgrade))
    for word in ("$ref", "$defs", "anyOf", "'title'", "'default'", "additionalProperties", "'null'"):
        assert word not in text
