import pytest

from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.stateroots import StaterootError, Stateroots, stateroot_path


@pytest.fixture
def stateroots(node):
    return Stateroots(node.runner, node.root)


def stateroots_of(node):
    return [item.stateroot for item in RpmOstree(node.runner).status().items]


def test_remove_unbooted_leaves_only_the_running_stateroot(node, stateroots):
    node.deploy("rhcos_4.16.1")
    node.deploy("rhcos_4.17.0")
    stateroots.remove_unbooted()
    assert stateroots_of(node) == ["rhcos"]
    assert stateroots.names() == ["rhcos"]
    assert ["rpm-ostree", "cleanup", "-b"] in node.commands()


def test_remove_unbooted_can_be_repeated(stateroots):
    stateroots.remove_unbooted()
    stateroots.remove_unbooted()


def test_remove_unbooted_takes_half_made_stateroots_as_well(node, stateroots):
    (node.stateroot_folder("rhcos_half") / "var/lib").mkdir(parents=True)
    stateroots.remove_unbooted()
    assert stateroots.names() == ["rhcos"]


@pytest.mark.parametrize(
    "status", ['{"deployments":[]}', '{"deployments":[{"osname":"rhcos","booted":false}]}', "rubbish"]
)
def test_remove_unbooted_without_a_known_running_deployment_touches_nothing(node, stateroots, status):
    node.deploy("rhcos_4.16.1")
    node.break_command("rpm-ostree status", f"echo '{status}'; exit 0")
    with pytest.raises(DeploymentError):
        stateroots.remove_unbooted()
    assert stateroots.names() == ["rhcos", "rhcos_4.16.1"]


def test_remove_unbooted_whose_undeploy_fails_keeps_that_stateroot_whole_and_removes_the_rest(node, stateroots):
    node.deploy("rhcos_4.16.1")
    (node.stateroot_folder("rhcos_half")).mkdir()
    node.break_command("ostree admin", '[ "$2" != undeploy ] || { echo no undeploy; exit 1; }')
    expected = r"^failed to remove 1 stateroots: rhcos_4\.16\.1: no undeploy\n: exit status 1$"
    with pytest.raises(StaterootError, match=expected):
        stateroots.remove_unbooted()
    assert stateroots.names() == ["rhcos", "rhcos_4.16.1"]
    assert (node.stateroot_folder("rhcos_4.16.1") / "var").is_dir()


def test_remove_unbooted_counts_a_failing_cleanup_of_base_commits(node, stateroots):
    node.break_command("rpm-ostree cleanup", "echo no; exit 1")
    with pytest.raises(
        StaterootError, match=r"^failed to remove 1 stateroots: rpm-ostree cleanup -b: no\n: exit status 1"
    ):
        stateroots.remove_unbooted()


def test_remove_of_the_running_stateroot_is_refused(node, stateroots):
    with pytest.raises(StaterootError, match=r"^failed abort: deployment 0 in stateroot rhcos is booted$"):
        stateroots.remove("rhcos")
    assert stateroots_of(node) == ["rhcos"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_stateroot_path_of_no_plain_name_is_refused(name):
    with pytest.raises(ValueError, match="not a stateroot name"):
        stateroot_path(name)


def test_discard_removes_data_before_it_undeploys(node, stateroots):
    node.deploy("rhcos_4.16.1")
    node.break_command("ostree admin", 'if [ "$2" = undeploy ]; then ls /ostree/deploy/rhcos_4.16.1 >/run/seen; fi')
    stateroots.discard("rhcos_4.16.1")
    assert (node.run / "seen").read_text() == "deploy\n"
    assert stateroots.names() == ["rhcos"]


def test_discard_of_the_running_stateroot_is_refused(node, stateroots):
    with pytest.raises(StaterootError, match="is booted$"):
        stateroots.discard("rhcos")
    assert (node.stateroot_folder("rhcos") / "var").is_dir()


def test_discard_of_an_absent_stateroot_is_fine(stateroots):
    stateroots.discard("rhcos_absent")
