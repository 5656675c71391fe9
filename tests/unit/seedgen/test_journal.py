from datetime import UTC, datetime, timedelta

import pytest

from agent.seedgen.journal import Journal, Journals, Phase
from hostops.hostroot import HostRoot
from seeds.creation.workspace import JOURNAL_FILE, is_cluster_claimed

JOURNAL = Journal(Phase.CLEANING, "uid", "seed", "recert", "lca", waits={"step": "2026-01-01T00:00:00+00:00"})
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


def test_journal_survives_as_a_file(tmp_path):
    journals = Journals(HostRoot(tmp_path))
    assert journals.read() is None
    journals.write(JOURNAL)
    assert journals.read() == JOURNAL
    assert (tmp_path / JOURNAL_FILE[1:]).stat().st_mode & 0o777 == 0o600
    journals.remove()
    assert journals.read() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "dancing"}', '{"phase": "cleaning"}', "null"])
def test_damaged_journal_is_an_error_that_names_the_file(tmp_path, text):
    path = tmp_path / JOURNAL_FILE[1:]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match="journal.json|dancing"):
        Journals(HostRoot(tmp_path)).read()


def test_wait_begins_once():
    journal, since = JOURNAL.since("other", NOW)
    assert since == NOW
    assert journal.since("other", NOW + timedelta(hours=1)) == (journal, NOW)


@pytest.mark.parametrize(
    ("phase", "claimed"),
    [(None, False), ("stabilizing", False), ("preparing", False), ("cleaning", True), ("building", True), ("{", True)],
)
def test_cluster_is_claimed_while_it_is_changed(tmp_path, phase, claimed):
    path = tmp_path / JOURNAL_FILE[1:]
    path.parent.mkdir(parents=True)
    if phase is not None:
        path.write_text(f'{{"phase": "{phase}"}}')
    assert is_cluster_claimed(HostRoot(tmp_path)) is claimed
