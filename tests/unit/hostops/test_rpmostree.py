import json

import pytest

from hostops.rpmostree import DeploymentError, Deployments


def deployments(*entries: tuple[str, bool]) -> Deployments:
    items = [{"id": f"{name}-abc.0", "osname": name, "booted": booted} for name, booted in entries]
    return Deployments.parse(json.dumps({"deployments": items, "transaction": None}))


def test_deployments_keep_boot_order_and_names():
    found = deployments(("rhcos", True), ("rhcos_4.16.1", False), ("rhcos_4.16.1", False))
    assert [(item.index, item.stateroot) for item in found.items] == [
        (0, "rhcos"),
        (1, "rhcos_4.16.1"),
        (2, "rhcos_4.16.1"),
    ]
    assert found.booted.stateroot == "rhcos"
    assert found.unbooted_stateroot() == "rhcos_4.16.1"
    assert found.index_of("rhcos_4.16.1") == 1
    assert [item.index for item in found.of_stateroot("rhcos_4.16.1")] == [1, 2]
    assert found.is_booted("rhcos")


@pytest.mark.parametrize("booted", [(), (True, True), (False, False)])
def test_booted_unless_exactly_one_is_an_error(booted):
    with pytest.raises(DeploymentError, match=r"^unable to determine booted stateroot$"):
        deployments(*[("rhcos", flag) for flag in booted]).booted  # noqa: B018


def test_unbooted_stateroot_with_one_stateroot_is_an_error():
    with pytest.raises(DeploymentError, match=r"^unable to find deployment in unbooted stateroot$"):
        deployments(("rhcos", True), ("rhcos", False)).unbooted_stateroot()


def test_index_of_an_unknown_stateroot_is_an_error():
    with pytest.raises(DeploymentError, match=r"^unable to find deployment in stateroot: rhcos_9$"):
        deployments(("rhcos", True)).index_of("rhcos_9")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"deployments": null}', '{"deployments": [{}]}', '{"deployments": [1]}']
)
def test_parse_of_anything_else_is_an_error(text):
    with pytest.raises(DeploymentError, match=r"^failed to unmarshal rpm-ostree status"):
        Deployments.parse(text)
