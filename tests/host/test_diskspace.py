import subprocess

import pytest

from hostops.diskspace import DiskSpace, measure_disk_space


@pytest.fixture
def tmpfs(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_disk_space_of_a_file_system_follows_its_content(tmpfs):
    assert measure_disk_space(tmpfs) == DiskSpace(tmpfs.stat().st_dev, 10 * 1024**2, 10 * 1024**2)
    (tmpfs / "f").write_bytes(b"x" * 6 * 1024**2)
    assert measure_disk_space(tmpfs).used_percent == 60


def test_disk_space_of_an_absent_path_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        measure_disk_space(tmp_path / "absent")


def test_used_percent_is_rounded_down_and_zero_without_blocks():
    assert DiskSpace(1, 1000, 501).used_percent == 49
    assert DiskSpace(1, 0, 0).used_percent == 0
