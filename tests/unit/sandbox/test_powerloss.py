from __future__ import annotations

import pytest

from sandbox.node.powerloss import find_unsynced


@pytest.mark.parametrize(
    ("notes", "lost"),
    [
        (["w 100 /var/a"], {"/var/a"}),
        (["w 100 /var/a", "s 101 /var/a"], set()),
        (["w 100 /var/a", "s 101 /var/a", "w 102 /var/a"], {"/var/a"}),
        (["w 100 /var/.a", "r 101 /var/.a\t/var/a"], {"/var/a"}),
        (["w 100 /var/.a", "s 101 /var/.a", "r 102 /var/.a\t/var/a"], set()),
        (["w 100 /var/a", "w 101 /var/.a", "s 102 /var/.a", "r 103 /var/.a\t/var/a"], set()),
        (["w 100 /var/.t/a", "r 101 /var/.t\t/var/t"], {"/var/t/a"}),
        (["w 100 /var/t/a", "w 101 /var/.t/a", "s 102 /var/.t/a", "r 103 /var/.t\t/var/t"], set()),
        (["w 60 /var/long-ago"], set()),
        (["w 100 /var/a b", "w 101"], {"/var/a b"}),
    ],
)
def test_files_written_and_not_synced_are_lost(notes: list[str], lost: set[str]) -> None:
    assert find_unsynced(notes, now=110) == lost
