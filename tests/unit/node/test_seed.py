"""The mounted seed image: whatever its files hold, the setup gets a seed or one text that names the file."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.node.stateroot.seed import Seed, read_seed
from seeds.format import SeedFormatError

VERSION = "4.16.1"
GOOD = {
    "rpm-ostree.json": json.dumps({"deployments": [{"booted": True, "id": "rhcos-abc.0"}]}),
    "manifest.json": json.dumps({"seed_cluster_ocp_version": VERSION}),
    "mco-currentconfig.json": "{}",
    "ostree-abc.0.origin": "",
    "ostree.tgz": "",
    "var.tgz": "",
    "etc.tgz": "",
    "containers.list": "",
}
NESTED = b'{"a":' * 100_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in GOOD.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def read(folder: Path) -> Seed:
    return read_seed("/seed", folder, VERSION)


def test_seed_with_all_files_is_read(folder: Path) -> None:
    seed = read(folder)
    assert (seed.deployment.commit, seed.deletions) == ("abc", ())


@pytest.mark.parametrize("name", GOOD)
def test_seed_without_a_file_names_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SeedFormatError, match=f"seed image lacks {name}"):
        read(folder)


@pytest.mark.parametrize("name", ["ostree.tgz", "manifest.json", "containers.list"])
def test_seed_with_a_folder_in_the_place_of_a_file_names_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(SeedFormatError, match=f"seed image lacks {name}"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"\xff", b"null", b"[]", b"1", NESTED, b"{" * 100_000])
@pytest.mark.parametrize("name", ["rpm-ostree.json", "manifest.json", "mco-currentconfig.json"])
def test_seed_with_another_json_than_expected_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(SeedFormatError) as refused:
        read(folder)
    assert len(str(refused.value)) < 1000


def test_seed_with_deleted_files_of_any_name_is_read(folder: Path) -> None:
    (folder / "etc.deletions").write_bytes(b"/etc/caf\xe9\n")
    assert [bytes(path) for path in read(folder).deletions] == [b"etc/caf\xe9"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("deployments", "booted", "id", "spec", "kernelArguments", "fips", "seed_cluster_ocp_version", "cpu_topology")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["rpm-ostree.json", "manifest.json", "mco-currentconfig.json", "etc.deletions"]),
    content=st.binary() | st.dictionaries(st.sampled_from(KEYS), JSON_VALUES).map(lambda v: json.dumps(v).encode()),
)
def test_seed_with_any_content_is_read_or_refused(folder: Path, name: str, content: bytes) -> None:
    for file, good in GOOD.items():
        (folder / file).write_text(good)
    (folder / name).write_bytes(content)
    with suppress(SeedFormatError):
        read(folder)
    (folder / "etc.deletions").unlink(missing_ok=True)
