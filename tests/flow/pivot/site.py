"""A node that goes over the pivot again and again: back to the start, into the new release, and what is there then."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.sysroot import INSTALLED_STATEROOT, list_bootable
from tests.flow.pivot.handover import CHRONY, UPGRADE, describe_site, hand_over, read_secret, save_upgrade
from tests.flow.prep.upgrade import STATEROOT, WAIT_SECONDS, get_message, list_conditions

NODE = Kind("", "v1", "Node")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
MIRROR_SET = Kind("config.openshift.io", "v1", "ImageDigestMirrorSet")
CATALOG_SOURCE = Kind("operators.coreos.com", "v1alpha1", "CatalogSource")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")


class Site:
    """The sandbox of a node that is prepared, and a copy of everything that a pivot changes in it."""

    def __init__(self, sandbox: Sandbox, keep: Path) -> None:
        self.sandbox = sandbox
        self.identity = Identity.read(sandbox.layout.identity_file)
        self.old_kubeconfig = Path(shutil.copy(sandbox.layout.kubeconfig, keep / "kubeconfig"))
        self.keep = keep
        self.log = sandbox.layout.logs / "installation-configuration.log"
        self.watchdog_log = sandbox.layout.logs / "lca-init-monitor.log"
        self.stateroot = sandbox.layout.sysroot / "ostree/deploy" / STATEROOT
        (found,) = [each for each in list_bootable(sandbox.layout.sysroot) if each.stateroot == STATEROOT]
        self.folders = {"var": self.stateroot / "var", "etc": found.root / "etc"}
        for name, folder in self.folders.items():
            copy(folder, keep / name)
        with Client.connect(sandbox.layout.kubeconfig) as client:
            self.description = describe_site(self.identity, client)
            self.pull_secret = read_secret(client, "pull-secret", "openshift-config", ".dockerconfigjson")
            self.prepared = client.get(UPGRADE, "upgrade")

    def restore(self) -> None:
        """Let the new stateroot be as Prep has left it. It must not be booted."""
        for name, folder in self.folders.items():
            copy(self.keep / name, folder)

    def forget_logs(self) -> None:
        """Let the logs of the programs under test be empty."""
        for log in (self.log, self.watchdog_log):
            log.unlink(missing_ok=True)

    def write(self, path: str, text: str) -> None:
        """Write a file below the new stateroot's folder."""
        (self.stateroot / path).write_text(text)

    def hand_over(self, **changes: Any) -> None:
        """Leave in the new stateroot what the programs there need, and both saved resources."""
        hand_over(self.sandbox, STATEROOT, {**self.description, **changes})
        save_upgrade(self.sandbox, self.prepared, STATEROOT)

    def park(self) -> None:
        """Stop the node before its first boot into the new release, which is as Prep has left it.

        With the original release running, its operator could take what is handed over.
        """
        if list_bootable(self.sandbox.layout.sysroot)[0].stateroot != STATEROOT:
            self.sandbox.run("ostree", "admin", "set-default", "1")
        self.sandbox.down()
        self.restore()
        self.forget_logs()

    def boot(self) -> None:
        """Switch the node on without waiting for anything."""
        self.sandbox.start(owner_pid=os.getpid())

    def pivot(self) -> None:
        """Boot the new release; return when the program that configures the node has come to a good end."""
        self.boot()
        self.wait_configured()

    def wait_configured(self) -> None:
        """Return when the unit that configures the node is over, and the cluster runs."""
        wait_log(self.log, "Post pivot operation finished")
        self.sandbox.wait_ready()

    @property
    def booted(self) -> str:
        stateroot: str = self.sandbox.state()["booted"]["stateroot"]
        return stateroot

    def wait_rolled_back(self, message: str, boots: int = 1) -> Object:
        """Wait until the original release runs again, after `boots` boots of the new one.

        Returns the resource as soon as it says that the upgrade has failed for the reason `message`.
        """
        self.sandbox.wait_booted(after=boots)
        assert self.booted == INSTALLED_STATEROOT
        self.sandbox.wait_ready()
        with Client.connect(self.sandbox.layout.kubeconfig) as client:
            return wait_failed(client, message)


def wait_failed(client: Client, message: str) -> Object:
    seen: Object = {}
    with client.watch(UPGRADE, name="upgrade", timeout_seconds=WAIT_SECONDS) as watch:
        for event in watch:
            seen = event.object
            if event.type != "DELETED" and get_message(seen, "UpgradeInProgress") == message:
                return seen
    raise AssertionError(f"the upgrade has not failed for that reason: {list_conditions(seen)}")


def wait_log(log: Path, text: str) -> str:
    """Return the line that holds `text`, as soon as there is one."""
    command = ["timeout", f"{WAIT_SECONDS:g}", "tail", "-n", "+1", "-F", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
        assert tail.stdout is not None
        for line in tail.stdout:
            if text in line:
                tail.kill()
                return line
    raise AssertionError(f"{log.name} does not say {text!r}: {log.read_text() if log.exists() else 'there is none'}")


def copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["find", str(target), "-mindepth", "1", "-delete"], check=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def assert_configured(site: Site) -> None:
    """The node is the site's, its cluster has the old one's identity, and nothing of the hand-over is left."""
    run = site.sandbox.run
    assert site.booted == STATEROOT
    assert run("hostname").stdout.strip() == site.identity.node_name
    assert run("systemctl", "is-enabled", "kubelet").stdout == "enabled\n"
    assert run("systemctl", "is-enabled", "installation-configuration", check=False).stdout == "disabled\n"
    gone = ("/opt/openshift", "/var/seed_data", "/var/lib/lca/node_configured", "/run/sandbox-containers/*.json")
    left = run("bash", "-c", f"ls -d {' '.join(gone)}", check=False).stdout.split()
    assert not left, f"left behind: {left}"
    files = {
        "/etc/chrony.conf": CHRONY,
        "/etc/ssh/ssh_host_ed25519_key": "SSH-PRIVATE\n",
        "/etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA host\n",
        "/etc/NetworkManager/system-connections/handed-over.nmconnection": "[connection]\nid=handed-over\n",
        "/etc/lvm/devices/system.devices": "VERSION=1.1.1\n",
        "/etc/default/nodeip-configuration": "KUBELET_NODEIP_HINT=192.168.126.0",
        "/etc/default/sno_dnsmasq_configuration_overrides": (
            "SNO_CLUSTER_NAME_OVERRIDE=sno1\nSNO_BASE_DOMAIN_OVERRIDE=example.com\n"
            "SNO_DNSMASQ_IP_OVERRIDE=192.168.126.10"
        ),
        "/home/core/.ssh/authorized_keys.d/ib-early-access": "ssh-ed25519 AAAA core@site",
        "/var/lib/kubelet/config.json": site.pull_secret,
    }
    assert {path: run("cat", path).stdout for path in files} == files
    assert run("bash", "-c", "cd /etc/ssh && ls ssh_host*").stdout.split() == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    ]
    modes = run("stat", "-c", "%a %U", "/home/core/.ssh/authorized_keys.d/ib-early-access", *list(files)[1:3]).stdout
    assert modes.splitlines() == ["600 core", "600 root", "644 root"]
    # The kubeconfig from before the pivot still opens the API server.
    with Client.connect(site.old_kubeconfig) as client:
        assert_cluster(site, client)


def assert_cluster(site: Site, client: Client) -> None:
    (node,) = client.list(NODE)
    assert node["metadata"]["name"] == site.identity.node_name
    assert node["metadata"]["labels"]["site"] == "edge-7"
    assert client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"] == site.identity.cluster_id
    status = client.get(INFRASTRUCTURE, "cluster")["status"]
    domain = f"{site.identity.cluster_name}.{site.identity.base_domain}"
    assert (status["infrastructureName"], status["apiServerURL"]) == (
        site.identity.infra_id,
        f"https://api.{domain}:6443",
    )
    assert read_secret(client, "pull-secret", "openshift-config", ".dockerconfigjson") == site.pull_secret
    assert names(client, MIRROR_SET) == ["site"]
    assert names(client, CATALOG_SOURCE) == ["site-catalog"]
    assert {"99-master-ssh", "99-worker-ssh"} <= set(names(client, MACHINE_CONFIG))


def names(client: Client, kind: Kind) -> list[str]:
    return [each["metadata"]["name"] for each in client.list(kind)]
