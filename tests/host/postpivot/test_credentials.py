"""Steps 4, 5, 10, 12 and 13 of post-pivot-and-rollback.md 5."""

from __future__ import annotations

import json

import pytest

from agent.node.postpivot import credentials, identity
from agent.workflow.outcome import Done
from tests.host.postpivot.conftest import OPENSHIFT, SITE, FolderNode


def test_ssh_key_opens_the_node_now_and_for_good(node: FolderNode) -> None:
    node.set_site(ssh_key="ssh-rsa AAAA")
    assert node.run_step("set_ssh_key") == Done()
    early = "/home/core/.ssh/authorized_keys.d/ib-early-access"
    assert (node.read(early), node.mode(early)) == ("ssh-rsa AAAA", 0o600)
    assert node.commands == [f"chown core {early}"]
    manifest = json.loads(node.read(f"{OPENSHIFT}/cluster-configuration/manifests/99-worker-ssh.json"))
    assert manifest["metadata"] == {
        "name": "99-worker-ssh",
        "labels": {"machineconfiguration.openshift.io/role": "worker"},
    }
    assert manifest["spec"]["config"] == {
        "ignition": {"version": "3.2.0"},
        "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["ssh-rsa AAAA"]}]},
    }
    assert node.root.path(f"{OPENSHIFT}/setSSHKey.done").exists()


def test_site_without_ssh_key_is_done_at_once(node: FolderNode) -> None:
    assert node.run_step("set_ssh_key") == Done()
    assert node.commands == []
    assert node.root.path(f"{OPENSHIFT}/setSSHKey.done").exists()


def test_step_with_a_marker_is_not_run_again(node: FolderNode) -> None:
    node.write(f"{OPENSHIFT}/setSSHKey.done", "")
    node.set_site(ssh_key="ssh-rsa AAAA")
    assert node.run_step("set_ssh_key") == Done()
    assert node.commands == []


def test_failed_step_leaves_no_marker(node: FolderNode) -> None:
    node.set_site(ssh_key="ssh-rsa AAAA")
    node.break_program("chown")
    message = node.fail_step("set_ssh_key")
    assert message.startswith('failed to run once setSSHKey for post pivot: failed to run "chown" in host namespace')
    assert not node.root.path(f"{OPENSHIFT}/setSSHKey.done").exists()


def test_pull_secret_is_written_for_us_alone(node: FolderNode) -> None:
    node.write("/var/lib/kubelet/config.json", "{}", 0o644)
    assert node.run_step("write_pull_secret") == Done()
    assert node.read("/var/lib/kubelet/config.json") == SITE["pull_secret"]
    assert node.mode("/var/lib/kubelet/config.json") == 0o600


def test_missing_pull_secret_is_told(node: FolderNode) -> None:
    node.set_site(pull_secret="")
    text = "failed to run once pull-secret for post pivot: pull secret was not provided"
    assert node.fail_step("write_pull_secret") == text


def test_pull_secret_that_can_not_be_written_is_not_in_the_message(node: FolderNode) -> None:
    message = node.fail_step("write_pull_secret")
    assert "/var/lib/kubelet" in message
    assert "auth" not in message


def test_user_authorities_are_trusted_early(node: FolderNode) -> None:
    node.set_site(additionalTrustBundle={"userCaBundle": "CA"})
    (node.directory / "bin/update-ca-trust").symlink_to("podman")
    assert node.run_step("trust_user_authorities") == Done()
    assert node.commands == ["update-ca-trust"]
    assert (node.read(identity.TRUST_ANCHOR), node.mode(identity.TRUST_ANCHOR)) == ("CA", 0o600)


def test_failing_trust_is_told(node: FolderNode) -> None:
    assert node.fail_step("trust_user_authorities").startswith(
        "failed copy cluster config files: failed to run update-ca-trust after early certificate trust: "
        "failed to run bash in host namespace with args [update-ca-trust]: "
    )


def test_chrony_is_restarted_only_with_a_configuration(node: FolderNode) -> None:
    assert node.run_step("restart_chrony") == Done()
    assert node.commands == []
    node.set_site(chrony_config="server t")
    assert node.run_step("restart_chrony") == Done()
    assert node.commands == ["systemctl restart chronyd"]
    node.break_program("systemctl")
    assert node.fail_step("restart_chrony") == (
        "failed to restart chronyd service: failed to restart chronyd: "
        "failed executing systemctl restart [chronyd]: no luck\n: exit status 1"
    )


def test_server_keys_replace_those_of_the_seed(node: FolderNode) -> None:
    for name in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "sshd_config"):
        node.write(f"/etc/ssh/{name}", "old")
    keys = [("ssh_host_ed25519_key", "private"), ("ssh_host_ed25519_key.pub", "public")]
    node.set_site(server_ssh_keys=[{"file_name": name, "file_content": content} for name, content in keys])
    assert node.run_step("apply_server_ssh_keys") == Done()
    found = sorted(path.name for path in node.root.path("/etc/ssh").iterdir())
    assert found == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "sshd_config"]
    assert node.mode("/etc/ssh/ssh_host_ed25519_key") == 0o600
    assert node.mode("/etc/ssh/ssh_host_ed25519_key.pub") == 0o644
    assert node.commands == []  # SELinux is off


def test_server_keys_are_labelled_where_selinux_is_on(node: FolderNode) -> None:
    node.write("/sys/fs/selinux/enforce", "1")
    node.write("/etc/ssh/sshd_config", "")
    node.set_site(server_ssh_keys=[{"file_name": "ssh_host_rsa_key", "file_content": "k"}])
    assert node.run_step("apply_server_ssh_keys") == Done()
    assert node.commands == ["chcon system_u:object_r:sshd_key_t:s0 /etc/ssh/ssh_host_rsa_key"]


@pytest.mark.parametrize("name", ["../shadow", "a/b", "..", ""])
def test_server_key_outside_of_its_folder_is_refused(node: FolderNode, name: str) -> None:
    node.write("/etc/ssh/ssh_host_rsa_key", "old")
    node.set_site(server_ssh_keys=[{"file_name": name, "file_content": "k"}])
    assert node.fail_step("apply_server_ssh_keys").startswith("failed to apply server ssh keys: not file names: ")
    assert node.read("/etc/ssh/ssh_host_rsa_key") == "old"


def test_site_without_server_keys_keeps_those_that_recert_made(node: FolderNode) -> None:
    node.write("/etc/ssh/ssh_host_rsa_key", "made")
    assert node.run_step("apply_server_ssh_keys") == Done()
    assert node.read("/etc/ssh/ssh_host_rsa_key") == "made"


def test_machine_config_has_the_form_of_the_original() -> None:
    spec = credentials.make_ssh_machine_config("master", "k")["spec"]
    assert {key: value for key, value in spec.items() if key != "config"} == {
        "osImageURL": "",
        "baseOSExtensionsContainerImage": "",
        "kernelArguments": None,
        "extensions": None,
        "fips": False,
        "kernelType": "",
    }
