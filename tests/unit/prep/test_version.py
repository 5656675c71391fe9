"""Version order and the texts of prep.md 4.1."""

import pytest

from agent.ibu.prep.version import check_seed_version, list_policy_versions, parse_version

IN_ORDER = [
    "4.9.0",
    "4.14.7",
    "4.14.8-0",
    "4.14.8-2",
    "4.14.8-10",
    "4.14.8-ec.1",
    "4.14.8-rc.1",
    "4.14.8-rc.1.1",
    "4.14.8-rc.2",
    "4.14.8-rc.10",
    "4.14.8-rc.x",
    "4.14.8",
    "4.15.0",
    "10.0.0",
]


def test_order_follows_semver() -> None:
    versions = [parse_version(text) for text in IN_ORDER]
    assert sorted(versions, reverse=True) == versions[::-1]


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        ("", "failed to parse seed version :  is not in dotted-tri format"),
        ("4.15", "failed to parse seed version 4.15: 4.15 is not in dotted-tri format"),
        ("v4.15.0", 'failed to parse seed version v4.15.0: strconv.ParseInt: parsing "v4": invalid syntax'),
        ("4.1_5.0", 'failed to parse seed version 4.1_5.0: strconv.ParseInt: parsing "1_5": invalid syntax'),
        ("4. 15.0", 'failed to parse seed version 4. 15.0: strconv.ParseInt: parsing " 15": invalid syntax'),
        ("4.15.٣", 'failed to parse seed version 4.15.٣: strconv.ParseInt: parsing "٣": invalid syntax'),
        (
            "4.15.99999999999999999999",
            "failed to parse seed version 4.15.99999999999999999999: "
            'strconv.ParseInt: parsing "99999999999999999999": value out of range',
        ),
        (
            "4.15.0-",
            "failed to parse seed version 4.15.0-: failed to validate pre-release:  is not a valid semver identifier",
        ),
        (
            "4.15.0-a_b",
            "failed to parse seed version 4.15.0-a_b: "
            "failed to validate pre-release: a_b is not a valid semver identifier",
        ),
        (
            "4.15.0+",
            "failed to parse seed version 4.15.0+: failed to validate metadata:  is not a valid semver identifier",
        ),
        ("4.14.8", "seed OCP version (4.14.8) must be higher than current OCP version (4.14.8)"),
        ("4.14.8+x", "seed OCP version (4.14.8+x) must be higher than current OCP version (4.14.8)"),
        ("4.14.8-rc.1", "seed OCP version (4.14.8-rc.1) must be higher than current OCP version (4.14.8)"),
    ],
)
def test_check_seed_version_unfit_gives_text(seed: str, text: str) -> None:
    assert check_seed_version(seed, "4.14.8") == text


@pytest.mark.parametrize("seed", ["4.14.9-rc.1", "4.16.0", "5.0.0+build.7", "4.20.0-ec.1+x"])
def test_check_seed_version_newer_fits(seed: str) -> None:
    assert check_seed_version(seed, "4.14.8") is None


def test_check_seed_version_unreadable_cluster_version_is_named_first() -> None:
    assert check_seed_version("", "x") == "failed to parse target version x: x is not in dotted-tri format"


@pytest.mark.parametrize(
    ("seed", "values"),
    [("4.15.2-ec.3", ("4.15.2", "4.15", "4.15.2-ec.3")), ("4.15.2", ("4.15.2", "4.15"))],
)
def test_list_policy_versions_names_patch_minor_and_full(seed: str, values: tuple[str, ...]) -> None:
    assert list_policy_versions(seed) == values
