from hostops.diskspace import DiskSpace
from seeds.compat import Severity
from seeds.space import BOOT_BYTES, check_space

GIB = 1024**3


def space(device: int, available_gib: float) -> DiskSpace:
    return DiskSpace(device, 100 * GIB, int(available_gib * GIB))


def test_enough_room_everywhere_is_no_problem():
    places = {
        "/var/lib/containers": space(1, 4.5),
        "/var/tmp": space(2, 12),
        "/sysroot": space(2, 12),
        "/boot": space(3, 1),
    }
    assert check_space(4 * GIB, places) == []


def test_places_on_one_file_system_share_its_room_at_each_moment():
    (problem,) = check_space(4 * GIB, {"/var/tmp": space(2, 9), "/sysroot": space(2, 9)})
    assert problem.severity is Severity.WARNING
    assert problem.text == (
        "not enough space for the seed image in /var/tmp, /sysroot: about 10737418240 bytes (10.0 GiB) needed, "
        "9663676416 bytes (9.0 GiB) available; free 1073741824 bytes (1.0 GiB) or enlarge the file system"
    )


def test_everything_on_one_file_system_needs_the_storage_and_the_larger_moment():
    places = dict.fromkeys(("/var/lib/containers", "/var/tmp", "/sysroot", "/boot"), space(1, 14.5))
    (problem,) = check_space(4 * GIB, places)
    assert f"about {int(4 * GIB * 1.1) + 10 * GIB + BOOT_BYTES} bytes" in problem.text


def test_less_than_the_image_itself_in_the_container_storage_is_an_error():
    (problem,) = check_space(4 * GIB, {"/var/lib/containers": space(1, 3.9)})
    assert problem.severity is Severity.ERROR


def test_boot_is_compared_even_when_the_image_size_is_unknown():
    problems = check_space(0, {"/boot": DiskSpace(3, BOOT_BYTES, BOOT_BYTES - 1), "/var/tmp": space(2, 0)})
    assert [problem.text.split(":")[0] for problem in problems] == ["not enough space for the seed image in /boot"]
