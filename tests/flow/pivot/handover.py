"""What the old release leaves in a prepared stateroot before the reboot, written by hand from the running cluster."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from agent.kube import Client, Kind, Object
from agent.pivot.failure import UNCONTROLLED_ROLLBACK, fail_saved_upgrade
from agent.pivot.saved import SavedResource
from hostops import files
from hostops.hostroot import HostRoot
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from seeds import handover
from seeds.reconfiguration import SeedReconfiguration

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
SIGNERS = "openshift-kube-apiserver-operator"
CHRONY = "server time.example.com iburst\n"
CONNECTION = "[connection]\nid=handed-over\n"
LABELS = {"kubernetes.io/hostname": "sno1", "node-role.kubernetes.io/master": "", "site": "edge-7"}


def hand_over(sandbox: Sandbox, stateroot: str, site: Object) -> None:
    """Write everything into `stateroot`; `site` is the content of the reconfiguration."""
    root = HostRoot(sandbox.layout.sysroot / "ostree/deploy" / stateroot)
    write(root, handover.RECONFIGURATION_FILE, SeedReconfiguration.parse(json.dumps(site)).dump())
    files.make_directory(place(root, handover.CLUSTER_MANIFESTS), 0o700)
    for name, obj in make_manifests().items():
        write(root, f"{handover.CLUSTER_MANIFESTS}/{name}", json.dumps(obj))
    write(root, f"{handover.CONNECTIONS}/handed-over.nmconnection", CONNECTION)
    write(root, handover.LVM_DEVICES, "VERSION=1.1.1\n")


def save_upgrade(sandbox: Sandbox, prepared: Object, stateroot: str, old_stateroot: str = "rhcos") -> None:
    """Save the custom resource, which Prep is over for, for both ways that the reboot can go."""
    conditions = prepared["status"]["conditions"]
    in_progress = {"type": "UpgradeInProgress", "status": "True", "reason": "InProgress", "message": "In progress"}
    in_progress["lastTransitionTime"] = conditions[0]["lastTransitionTime"]
    status = {**prepared["status"], "conditions": [*conditions, in_progress]}
    ibu = {**prepared, "spec": {**prepared["spec"], "stage": "Upgrade"}, "status": status}
    deploy = sandbox.layout.sysroot / "ostree/deploy"
    for name in (stateroot, old_stateroot):
        files.make_directory(deploy / name / "var/lib/lca", 0o700)
    SavedResource(HostRoot(deploy / stateroot)).save(ibu)
    failed = fail_saved_upgrade(ibu, UNCONTROLLED_ROLLBACK, datetime.now(UTC))
    SavedResource(HostRoot(deploy / old_stateroot)).save(failed)


def describe_site(identity: Identity, client: Client) -> Object:
    """The identity of the running cluster, as the reconfiguration holds it."""

    def key(name: str, namespace: str = SIGNERS) -> str:
        return read_secret(client, name, namespace, "tls.key")

    return {
        "base_domain": identity.base_domain,
        "cluster_name": identity.cluster_name,
        "cluster_id": identity.cluster_id,
        "infra_id": identity.infra_id,
        "node_ips": [identity.node_ip],
        "machine_networks": [identity.machine_network],
        "hostname": identity.node_name,
        "release_registry": "quay.io",
        "ssh_key": "ssh-ed25519 AAAA core@site",
        "server_ssh_keys": [
            {"file_name": "ssh_host_ed25519_key", "file_content": "SSH-PRIVATE\n"},
            {"file_name": "ssh_host_ed25519_key.pub", "file_content": "ssh-ed25519 AAAA host\n"},
        ],
        "kubeadmin_password_hash": read_secret(client, "kubeadmin", "kube-system", "kubeadmin"),
        "pull_secret": read_secret(client, "pull-secret", "openshift-config", ".dockerconfigjson"),
        "install_config": read_config_map(client, "cluster-config-v1", "kube-system", "install-config"),
        "chrony_config": CHRONY,
        "node_labels": LABELS,
        "KubeconfigCryptoRetention": {
            "KubeAPICrypto": {
                "ServingCrypto": {
                    "localhost_signer_private_key": key("localhost-serving-signer"),
                    "service_network_signer_private_key": key("service-network-serving-signer"),
                    "loadbalancer_external_signer_private_key": key("loadbalancer-serving-signer"),
                },
                "ClientAuthCrypto": {
                    "admin_ca_certificate": read_config_map(
                        client, "admin-kubeconfig-client-ca", "openshift-config", "ca-bundle.crt"
                    )
                },
            },
            "IngresssCrypto": {
                "ingress_ca": key("router-ca", "openshift-ingress-operator"),
                "ingress_certificate_cn": "ingress-operator@1",
            },
        },
    }


def make_manifests() -> dict[str, Object]:
    """A list of one mirror, and an object that merges into what the seed has."""
    mirrors = [{"source": "quay.io/openshift-release-dev", "mirrors": ["mirror.example.com/release"]}]
    mirror_set = {
        "apiVersion": "config.openshift.io/v1",
        "kind": "ImageDigestMirrorSet",
        "metadata": {"name": "site"},
        "spec": {"imageDigestMirrors": mirrors},
    }
    items = {"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSetList", "items": [mirror_set]}
    catalog = {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "CatalogSource",
        "metadata": {"name": "site-catalog", "namespace": "openshift-marketplace"},
        "spec": {"sourceType": "grpc", "image": "mirror.example.com/catalog:1"},
    }
    return {"image-digest-mirror-set.json": {**items, "metadata": {}}, "catalog-source.json": catalog}


def read_secret(client: Client, name: str, namespace: str, key: str) -> str:
    return base64.b64decode(client.get(SECRET, name, namespace)["data"][key]).decode()


def read_config_map(client: Client, name: str, namespace: str, key: str) -> str:
    text: str = client.get(CONFIG_MAP, name, namespace)["data"][key]
    return text


def place(root: HostRoot, path: str) -> Path:
    return root.path(f"/var{path}" if path.startswith("/opt/") else path)


def write(root: HostRoot, path: str, text: str) -> None:
    target = place(root, path)
    files.make_directory(target.parent, 0o700)
    files.write_atomically(target, text)
