import pytest

from seeds.creation.room import ContentSize, describe_shortage

GIB = 1024**3


@pytest.mark.parametrize("available", [6 * GIB, 100 * GIB])
def test_enough_room_is_no_problem(available):
    assert describe_shortage(ContentSize(2 * GIB, 8 * GIB), available) is None


def test_shortage_names_place_need_and_room():
    assert describe_shortage(ContentSize(2 * GIB, 8 * GIB), 3 * GIB) == (
        "not enough space in /var/tmp for the seed image: about 6.0 GiB needed, 3.0 GiB available; "
        "remove files there or enlarge the file system"
    )
