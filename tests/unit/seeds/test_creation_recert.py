"""recert's configurations on the seed node, key by key (seed-image-and-gitops.md B.9)."""

import re

import bcrypt
import pytest

from sandbox.node.recert.config import RecertConfig
from seeds.creation_recert import build_creation_config, build_restoration_config, make_password_hash_of_nobody

COMMON = {
    "etcd_endpoint": "localhost:2379",
    "crypto_dirs": ["/kubelet", "/kubernetes", "/machine-config-daemon"],
    "crypto_files": ["/host-etc/mcs-machine-config-content.json"],
    "cluster_customization_dirs": ["/kubelet", "/kubernetes", "/machine-config-daemon"],
    "cluster_customization_files": [
        *("/host-etc/mcs-machine-config-content.json", "/host-etc/mco/proxy.env", "/host-etc/chrony.conf"),
    ],
}
FOLDER = "/var/tmp/backupCertsDir"


def test_creation_lets_everything_expire():
    assert build_creation_config(has_password=False) == {
        **COMMON,
        "force_expire": True,
        "etcd_defrag": True,
        "summary_file_clean": "/kubernetes/recert-seed-creation-summary.yaml",
        "kubeadmin_password_hash": "",
    }


def test_creation_gives_the_administrator_a_password_that_nobody_knows():
    hashes = {build_creation_config(has_password=True)["kubeadmin_password_hash"] for _ in range(20)}
    assert len(hashes) == 20
    # bcrypt's own form: 22 characters are 16 bytes of salt, 31 are 23 bytes of digest, no bits are left over.
    assert all(re.fullmatch(r"\$2a\$10\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[./A-Za-z0-9]", h) for h in hashes)


def test_made_up_hash_is_one_that_bcrypt_can_compare_with():
    assert bcrypt.checkpw(b"guess", make_password_hash_of_nobody().encode()) is False


def test_restoration_keeps_the_keys_by_the_names_that_recert_finds():
    config = build_restoration_config(FOLDER, ingress_common_name="ingress-operator@17", password_hash="$2a$10$x")
    assert config == {
        **COMMON,
        "extend_expiration": True,
        "summary_file_clean": "/kubernetes/recert-seed-restoration-summary.yaml",
        "kubeadmin_password_hash": "$2a$10$x",
        "use_key_rules": [
            f"kube-apiserver-lb-signer {FOLDER}/loadbalancer-serving-signer.key",
            f"kube-apiserver-localhost-signer {FOLDER}/localhost-serving-signer.key",
            f"kube-apiserver-service-network-signer {FOLDER}/service-network-serving-signer.key",
            f"ingress-operator@17 {FOLDER}/ingresskey-ingress-operator.key",
        ],
        "use_cert_rules": [f"{FOLDER}/admin-kubeconfig-client-ca.crt"],
    }


def test_unknown_ingress_name_makes_no_rule_that_recert_would_refuse():
    config = build_restoration_config(FOLDER, ingress_common_name="", password_hash="")
    assert len(config["use_key_rules"]) == 3


@pytest.mark.parametrize(
    "config",
    [
        build_creation_config(has_password=True),
        build_creation_config(has_password=False),
        build_restoration_config(FOLDER, ingress_common_name="ingress-operator@17", password_hash=""),
    ],
)
def test_configurations_hold_only_keys_that_recert_knows(config):
    RecertConfig.model_validate(config)
