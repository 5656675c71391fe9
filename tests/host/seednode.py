"""A scratch node with what a seed has: a changed /etc, content in /var, and what the steps that ask the API leave."""

from __future__ import annotations

import json
from pathlib import Path

from agent.node.seed.places import BACKUP, CHECKS, LAYOUT, SEED_DATA
from seeds.format import SeedClusterInfo, TrustBundle
from tests.host.scratchnode import ScratchNode

VERSION = "4.16.1"
INFO = SeedClusterInfo(
    version=VERSION,
    base_domain="example.com",
    cluster_name="seed",
    node_ips=("192.168.127.10",),
    release_registry="quay.io",
    hostname="seed1",
    recert_image="quay.io/edge-infrastructure/recert:v0",
    trust_bundle=TrustBundle(),
    ingress_certificate_cn="ingress-operator@1700000000",
    machine_networks=("192.168.127.0/24",),
)
IMAGES = "quay.io/a@sha256:1\nquay.io/b:2"
MANAGED = "/var/lib/cni/bin/demanded by the machine config"
MACHINE_CONFIG = {
    "spec": {
        "kernelArguments": ["tsc=nowatchdog"],
        "config": {
            "ignition": {"version": "3.4.0"},
            "storage": {"files": [{"path": MANAGED}, {"path": "/etc/chrony.conf"}]},
        },
    }
}
IN_THE_IMAGE = {
    "/var/lib/kubelet/config.json": '{"auths":{}}',
    "/var/lib/etcd/member/db": "etcd\n",
    "/var/lib/with blank/and umlaut ü": "x\n",
    MANAGED: "kept in spite of an exclude\n",
    "/etc/changed with blank.conf": "seed\n",
    "/etc/new.d/file": "new\n",
    "/etc/hosts": "127.0.0.1 seed\n",
}
NOT_IN_THE_IMAGE = {
    "/var/log/messages": "log\n",
    "/var/lib/lca/ibu.json": "{}",
    "/var/lib/lca/ibu-seedgen-orch/auth.json": "secret",
    "/var/lib/cni/bin/other": "x\n",
    "/var/lib/kubelet/pods/x/y": "x\n",
    "/var/lib/ovn-ic/etc/db": "x\n",
    "/var/home/core/.bash_history": "secret\n",
    "/var/tmp/something": "x\n",
    "/etc/hostname": "seed1\n",
    "/etc/NetworkManager/system-connections/ens3.nmconnection": "x\n",
    "/etc/cni/multus/net.d/x": "x\n",
    "/etc/openvswitch/conf.db": "x\n",
}
TEMPORARY = ("backup", "checks", "backupCertsDir")


def make_seed_node(node: ScratchNode, registry: str) -> None:
    """Fill the booted node."""
    node.trust_registry(registry)
    for path, text in (IN_THE_IMAGE | NOT_IN_THE_IMAGE).items():
        write(node, path, text)
    write(node, "/etc/machine-config-daemon/currentconfig", json.dumps(MACHINE_CONFIG))
    node.root.path("/etc/removed-by-seed").unlink()
    node.root.path("/etc/systemd/system").mkdir(parents=True, exist_ok=True)


def pretend_api_steps(node: ScratchNode) -> None:
    """Leave what the steps leave that need the cluster's API."""
    for folder in (BACKUP, LAYOUT, CHECKS, SEED_DATA):
        node.root.path(folder).mkdir(parents=True, exist_ok=True)
    write(node, f"{BACKUP}/containers.list", IMAGES)
    for folder in (BACKUP, SEED_DATA):
        write(node, f"{folder}/manifest.json", INFO.dump())
    for name in ("create_container_list", "gather_cluster_info"):
        write(node, f"{CHECKS}/{name}.done", "")


def write(node: ScratchNode, path: str, text: str) -> Path:
    visible = node.root.path(path)
    visible.parent.mkdir(parents=True, exist_ok=True)
    visible.write_text(text)
    return visible
