import json

import pytest

from hostops.ostree import ConfigChange
from seeds.creation.archives import format_deletions, list_managed_files, pack_etc, pack_repository, pack_var
from seeds.format import SeedFormatError

OPTIONS = ["--selinux", "--xattrs", "--xattrs-include=*", "--acls"]


def test_var_is_packed_with_the_excludes_of_the_format_in_order():
    """B.10: what the machine config demands stands before the excludes, so that it survives them."""
    argv = list(pack_var(["/var/lib/kubelet/config.json"]).argv())
    excludes = [word.removeprefix("--exclude=") for word in argv if word.startswith("--exclude")]
    assert excludes == [
        *("*/.bash_history", "var/tmp/*", "var/log/*", "var/lib/lca", "var/lib/log/*", "var/lib/cni/bin/*"),
        *("var/lib/containers/*", "var/lib/kubelet/pods/*", "var/lib/ovn-ic/etc/*"),
    ]
    assert argv.index("--add-file=var/lib/kubelet/config.json") < argv.index("--exclude=*/.bash_history")
    assert argv[:5] == ["tar", "-cf", "-", "-C", "/"]
    assert argv[-6:] == [*OPTIONS, "--null", "--files-from=-"]


def test_etc_holds_what_changed_and_nothing_of_this_node():
    changes = [
        ConfigChange("M", "/etc/hosts"),
        ConfigChange("A", "/etc/with blank"),
        ConfigChange("D", "/etc/gone"),
        ConfigChange("A", "/etc/cni/multus"),
        ConfigChange("A", "/etc/cni/multus/certs/x"),
        ConfigChange("A", "/etc/cni/multusx"),
        ConfigChange("A", "/etc/systemd/system/lca-restore-seed.service"),
        ConfigChange("A", "/etc/systemd/system/multi-user.target.wants/lca-restore-seed.service"),
        ConfigChange("A", "/etc/systemd/system/multi-user.target.wants/lca-init-monitor.service"),
    ]
    packing = pack_etc(changes)
    assert packing.members == (
        *("etc/hosts", "etc/with blank", "etc/cni/multusx"),
        "etc/systemd/system/multi-user.target.wants/lca-init-monitor.service",
    )
    assert "--no-recursion" in packing.argv()
    assert packing.excludes == (
        *("etc/NetworkManager/system-connections", "etc/machine-config-daemon/orig/var/lib/kubelet"),
        *("etc/openvswitch/conf.db", "etc/openvswitch/.conf.db.~lock~", "etc/hostname"),
    )
    assert format_deletions(changes) == "/etc/gone\n"


def test_repository_is_packed_from_its_own_folder():
    packing = pack_repository()
    assert packing.argv()[:5] == ("tar", "-cf", "-", "-C", "/ostree/repo")
    assert packing.members == (".",)


def test_managed_files_are_those_below_var_lib_in_order():
    files = [{"path": path} for path in ("/var/lib/b", "/etc/x", "/var/lib/a", "/var/library")]
    config = {"spec": {"config": {"storage": {"files": files}}}}
    assert list_managed_files(json.dumps(config)) == ["/var/lib/b", "/var/lib/a"]
    assert list_managed_files('{"spec": {"config": {}}}') == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "unable to parse MCD currentconfig: "),
        ("[]", "unable to parse MCD currentconfig: "),
        ("{}", "unable to find config in MCD currentconfig"),
        ('{"spec": {"config": "x"}}', "unable to find config in MCD currentconfig"),
        (
            '{"spec": {"config": {"storage": {"files": [{}]}}}}',
            "unable to parse ignition config from MCD currentconfig",
        ),
        ('{"spec": {"config": {"storage": 1}}}', "unable to parse ignition config from MCD currentconfig"),
    ],
)
def test_unusable_machine_config_is_refused_by_name(text, message):
    with pytest.raises(SeedFormatError, match=message):
        list_managed_files(text)
