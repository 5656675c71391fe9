import pytest

from agent.node.ending import ProgramError
from agent.node.precache.program import PrecacheRequest, read_environment, read_limit


@pytest.mark.parametrize(
    ("text", "limit"), [("", 10), ("4", 4), ("0", 1), ("-3", 1), ("many", 10), ("2.5", 10), ("100", 100)]
)
def test_limit_is_at_least_one_and_ten_for_what_is_no_number(text, limit):
    assert read_limit(text) == limit


def test_environment_of_the_job_is_read(tmp_path):
    (tmp_path / "images.txt").write_text("a:1\n\n b:2\r\na:1\n")
    environment = {"PRECACHE_SPEC_FILE": str(tmp_path / "images.txt"), "MAX_PULL_THREADS": "3"}
    environment |= {"PULL_SECRET_PATH": "/other.json", "PRECACHE_BEST_EFFORT": "TRUE"}
    assert read_environment(environment) == PrecacheRequest(("a:1", "b:2"), "/other.json", 3, True)


def test_best_effort_is_only_the_exact_word(tmp_path):
    (tmp_path / "list").touch()
    environment = {"PRECACHE_SPEC_FILE": str(tmp_path / "list"), "PRECACHE_BEST_EFFORT": "true"}
    assert read_environment(environment) == PrecacheRequest(())


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "environment variable PRECACHE_SPEC_FILE is not set"),
        ({"PRECACHE_SPEC_FILE": "/absent/list"}, "missing precache spec file /absent/list"),
    ],
)
def test_environment_without_a_list_is_refused(environment, problem):
    with pytest.raises(ProgramError, match=problem):
        read_environment(environment)
