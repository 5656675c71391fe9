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


def test_places_on_one_file_system_share_its_room():
    (problem,) = check_space(4 * GIB, {"/var/tmp": space(2, 11), "/sysroot": space(2, 11)})
    assert problem.severity is Severity.WARNING
    assert problem.text == (
        "not enough space for the seed image in /var/tmp, /sysroot: about 12884901888 bytes (12.0 GiB) needed, "
        "11811160064 bytes (11.0 GiB) available; free 1073741824 bytes (1.0 GiB) or enlarge the file system"
    )


def test_less_than_the_image_itself_in_the_container_storage_is_an_error():
    (problem,) = check_space(4 * GIB, {"/var/lib/containers": space(1, 3.9)})
    assert problem.severity is Severity.ERROR


def test_boot_is_compared_even_when_the_image_size_is_unknown():
    problems = check_space(0, {"/boot": DiskSpace(3, BOOT_BYTES, BOOT_BYTES - 1), "/var/tmp": space(2, 0)})
    assert [problem.text.split(":")[0] for problem in problems] == ["not enough space for the seed image in /boot"]
