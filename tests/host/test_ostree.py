import pytest

from hostops.mounts import remount_writable, remove_tree_below_sysroot
from hostops.ostree import KernelArguments, Ostree, OstreeError
from hostops.rpmostree import RpmOstree
from hostops.runner import CommandError
from tests.host.scratchnode import ScratchNode, call, commit_tree


def test_status_of_a_booted_node_knows_what_runs(node):
    node.deploy("rhcos_4.16.1")
    status = RpmOstree(node.runner).status()
    assert [(item.stateroot, item.booted) for item in status.items] == [("rhcos", True), ("rhcos_4.16.1", False)]


def test_deploy_of_a_second_stateroot_comes_behind_the_default(node):
    ostree = Ostree(node.runner)
    ostree.os_init("rhcos_4.16.1")
    kargs = KernelArguments(appended=("tsc=nowatchdog", 'cgroup="all"', "fips=1"), replaced=("ibu=4.16.1",))
    ostree.deploy("rhcos_4.16.1", node.commit, kargs, not_as_default=True)
    assert RpmOstree(node.runner).status().index_of("rhcos_4.16.1") == 1
    entry = next(
        path.read_text() for path in (node.sysroot / "boot/loader/entries").iterdir() if "ibu=" in path.read_text()
    )
    assert 'options ibu=4.16.1 tsc=nowatchdog cgroup="all" fips=1 ostree=' in entry


def test_deployment_name_of_a_stateroot_is_its_folder(node):
    assert Ostree(node.runner).deployment_name("rhcos") == node.deployment("rhcos").name


def test_deployment_name_of_an_absent_stateroot_is_an_error(node):
    with pytest.raises(OstreeError, match=r"^stateroot rhcos_9 has no deployment in ostree admin status$"):
        Ostree(node.runner).deployment_name("rhcos_9")


def test_pull_local_can_be_repeated(node, tmp_path):
    source = node.run / "seed"
    call("ostree", f"--repo={source}", "init", "--mode=bare")
    commit = commit_tree(tmp_path / "tree", source, "4.16.1")
    Ostree(node.runner).pull_local("/run/seed")
    Ostree(node.runner).pull_local("/run/seed")
    assert f"commit {commit}" in node.runner.run("ostree", "show", commit).output


def test_pull_local_takes_the_repository_of_a_system(node, tmp_path):
    other = ScratchNode(node.run / "other", version="4.16.1")
    other.create()
    Ostree(node.runner).pull_local("/run/other/sysroot/ostree/repo")
    assert f"commit {other.commit}" in node.runner.run("ostree", "show", other.commit).output
    other.destroy()


def test_os_init_of_an_existing_stateroot_is_refused(node):
    with pytest.raises(CommandError, match="File exists\n: exit status 1"):
        Ostree(node.runner).os_init("rhcos")


def test_config_diff_lists_what_etc_changed(node):
    etc = node.deployment("rhcos") / "etc"
    (etc / "hosts").write_text("changed")
    (etc / "new file").write_text("x")
    (etc / "removed-by-seed").unlink()
    changes = {(change.kind, change.path) for change in Ostree(node.runner).config_diff()}
    assert changes >= {("M", "/etc/hosts"), ("A", "/etc/new file"), ("D", "/etc/removed-by-seed")}


def test_remount_writable_that_fails_tells_the_program_s_reason(node):
    node.break_command("mount /sysroot", 'echo "mount: /sysroot: permission denied."; exit 32')
    with pytest.raises(CommandError, match=r"^mount: /sysroot: permission denied\.\n: exit status 32$"):
        remount_writable(node.runner)


def test_remove_tree_of_a_deployment_clears_the_immutable_flag(node):
    node.deploy("rhcos_4.16.1")
    remove_tree_below_sysroot(node.runner, "/ostree/deploy/rhcos_4.16.1")
    assert not node.stateroot_folder("rhcos_4.16.1").exists()


def test_remove_tree_of_an_absent_folder_is_fine(node):
    remove_tree_below_sysroot(node.runner, "/ostree/deploy/absent")


def test_remove_tree_takes_names_literally(node):
    victim = node.stateroot_folder("; touch '$(id) *")
    victim.mkdir()
    remove_tree_below_sysroot(node.runner, f"/ostree/deploy/{victim.name}")
    assert sorted(path.name for path in victim.parent.iterdir()) == ["rhcos"]
