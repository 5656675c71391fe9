import pytest

from agent.node.initmonitor.lastresort import parse_status
from hostops.rpmostree import DeploymentError

A, B = "a" * 64, "b" * 64
STATUS = f"""* rhcos_4.16.1 {B}.0
    Version: 416.94.1
    origin refspec: x
  rhcos {A}.1 (rollback)
    Version: 415.93.0
"""


@pytest.mark.parametrize("text", [STATUS, STATUS.strip()])
def test_status_of_ostree_lists_the_deployments_in_boot_order(text):
    deployments = parse_status(text)
    assert [(each.stateroot, each.id, each.booted) for each in deployments.items] == [
        ("rhcos_4.16.1", f"rhcos_4.16.1-{B}.0", True),
        ("rhcos", f"rhcos-{A}.1", False),
    ]
    assert deployments.index_of(deployments.unbooted_stateroot()) == 1


def test_status_that_begins_with_another_stateroot_keeps_it():
    deployments = parse_status(f"rhcos {A}.0\n* rhcos_4.16.1 {B}.0\n")
    assert (deployments.items[0].stateroot, deployments.booted.index) == ("rhcos", 1)


def test_status_without_a_booted_deployment_is_no_way_back():
    with pytest.raises(DeploymentError):
        parse_status(f"  rhcos {A}.0\n").unbooted_stateroot()
