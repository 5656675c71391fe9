from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sandbox.node.recert.config import ConfigError, RecertConfig, read_config
from sandbox.node.recert.etcd import Objects
from sandbox.node.recert.rewrite import (
    INFRASTRUCTURE,
    INSTALL_CONFIG,
    KUBEADMIN,
    PULL_SECRET,
    read_names,
    rewrite_objects,
)

NODE = "/registry/minions/seed"
LEASE = "/registry/leases/kube-node-lease/seed"


@pytest.fixture
def objects() -> Objects:
    install = "baseDomain: example.com\nmetadata: {name: seed}\n"
    address = {"type": "InternalIP", "address": "192.168.127.10"}
    return {
        INSTALL_CONFIG: {"metadata": {"name": "cluster-config-v1"}, "data": {"install-config": install}},
        INFRASTRUCTURE: {
            "metadata": {"name": "cluster"},
            "status": {"infrastructureName": "seed-x1", "apiServerURL": "https://api.seed.example.com:6443"},
        },
        NODE: {
            "metadata": {"name": "seed", "labels": {"kubernetes.io/hostname": "seed"}},
            "status": {"addresses": [address]},
        },
        LEASE: {"metadata": {"name": "seed"}, "spec": {"holderIdentity": "seed"}},
        KUBEADMIN: {"metadata": {"name": "kubeadmin"}, "data": {"kubeadmin": "eA=="}},
        PULL_SECRET: {"metadata": {"name": "pull-secret"}, "data": {".dockerconfigjson": "eA=="}},
        "/registry/configmaps/app/notes": {"metadata": {"name": "notes"}, "data": {"a": "192.168.127.100 seedling"}},
    }


def rewrite(objects: Objects, **config: object) -> tuple[Objects, set[str]]:
    return rewrite_objects(objects, read_names(objects), RecertConfig.model_validate(config))


def test_cluster_rename_changes_domain_and_infra_id(objects: Objects) -> None:
    written, _ = rewrite(objects, cluster_rename="sno1:lab.test:sno1-y2")
    assert written[INFRASTRUCTURE]["status"] == {
        "infrastructureName": "sno1-y2",
        "apiServerURL": "https://api.sno1.lab.test:6443",
    }


def test_hostname_renames_node_and_lease_with_their_keys(objects: Objects) -> None:
    written, removed = rewrite(objects, hostname="sno1")
    assert removed == {NODE, LEASE}
    assert written["/registry/minions/sno1"]["metadata"]["labels"] == {"kubernetes.io/hostname": "sno1"}
    assert written["/registry/leases/kube-node-lease/sno1"]["spec"] == {"holderIdentity": "sno1"}


def test_address_is_replaced_only_as_a_whole(objects: Objects) -> None:
    written, _ = rewrite(objects, ip=["10.0.0.5"])
    assert written[NODE]["status"]["addresses"][0]["address"] == "10.0.0.5"
    assert "/registry/configmaps/app/notes" not in written


@pytest.mark.parametrize(("digest", "expected"), [("", None), ("$2a$", base64.b64encode(b"$2a$").decode())])
def test_kubeadmin_is_replaced_or_removed(objects: Objects, digest: str, expected: str | None) -> None:
    written, removed = rewrite(objects, kubeadmin_password_hash=digest)
    assert (KUBEADMIN in removed) == (expected is None)
    assert written.get(KUBEADMIN, {}).get("data", {}).get("kubeadmin") == expected


def test_nothing_asked_for_changes_nothing(objects: Objects) -> None:
    assert rewrite(objects) == ({}, set())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"extend_expiration": True, "force_expire": True}, "exclude each other"),
        ({"nonsense": 1}, "nonsense: Extra inputs"),
        ({"use_key_rules": ["CN with blanks /key"]}, "exactly one blank"),
        ({"cn_san_replace_rules": ["a,b,c"]}, "exactly one comma"),
    ],
)
def test_bad_configuration_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / "config.json")
