"""A seed image by `kubectl apply`, and what becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.kube import Kind
from sandbox.node.identity import Identity
from seeds.format import INFO_LABEL, SeedClusterInfo
from tests.flow.seedgen.seedsite import NAMESPACE, SECRET, VERSION, WAIT_SECONDS, SeedSite
from tests.flow.upgrade.site import CLUSTER_VERSION, Site, has_ended, list_conditions

COMPLETED = [
    ("SeedGenInProgress", "False", "Completed", "Seed Generation completed"),
    ("SeedGenCompleted", "True", "Completed", "Seed Generation completed"),
]
FILES = ["containers.list", "etc.deletions", "etc.tgz", "lca-cli", "manifest.json", "mco-currentconfig.json"]
LCA = (sys.executable, "-c", "from agent.cli.main import main; main()")


@pytest.fixture(scope="module")
def image(seed_site: SeedSite) -> str:
    """An image made of the cluster."""
    seed_site.ask()
    assert seed_site.wait_ended() == COMPLETED
    seed_site.assert_unharmed()
    seed_site.delete()
    return seed_site.image


def run_lca(*arguments: str, kubeconfig: Path | None = None, code: int = 0) -> str:
    environment = {**os.environ, **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})}
    done = subprocess.run([*LCA, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_image_tells_what_cluster_it_is_of(seed_site: SeedSite, image: str) -> None:
    done = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{image}"], capture_output=True)
    labels = json.loads(done.stdout)["Labels"]
    assert labels["com.openshift.lifecycle-agent.seed_format_version"] == "4"
    info = SeedClusterInfo.parse(labels[INFO_LABEL])
    assert (info.version, info.cluster_name, info.base_domain) == (VERSION, "seed", "example.com")
    assert (info.node_ips, info.hostname) == (("192.168.127.10",), "seed")
    assert (info.machine_networks, info.cluster_networks) == (("192.168.127.0/24",), ("10.128.0.0/14",))
    assert info.recert_image == "quay.io/edge-infrastructure/recert:v0"
    assert info.ingress_certificate_cn.startswith("ingress-operator@")
    assert info.container_storage_target == "/dev/disk/by-partlabel/var-lib-containers"


def test_inspect_lists_the_files_and_compares_with_the_cluster(seed_site: SeedSite, image: str) -> None:
    arguments = ("seed", "inspect", "--no-tls-verify", image)
    text = run_lca(*arguments)
    assert f"Release:    {VERSION}\n" in text
    shown = json.loads(run_lca(*arguments, "-o", "json"))
    assert sorted(file["name"] for file in shown["files"])[:6] == FILES
    assert shown["seedClusterInfo"]["seed_cluster_ocp_version"] == VERSION
    checked = run_lca(*arguments, "--check", kubeconfig=seed_site.sandbox.layout.kubeconfig, code=1)
    assert "does not fit this cluster" in checked
    assert f"seed OCP version ({VERSION}) must be higher than current OCP version ({VERSION})" in checked


def test_inspect_lists_the_files_of_an_image_that_does_not_list_them(
    seed_site: SeedSite, image: str, tmp_path: Path
) -> None:
    """As the original makes them: all files in one layer."""
    labels = json.loads(run_lca("seed", "inspect", "--no-tls-verify", image, "-o", "json"))["labels"]
    (tmp_path / "containers.list").write_text("a\n")
    (tmp_path / "var.tgz").write_bytes(bytes(1000))
    one_layer = f"{seed_site.registry}/org/one-layer:1"
    options = [option for key, value in labels.items() for option in ("--label", f"{key}={value}")]
    recipe = tmp_path / ".Containerfile"
    recipe.write_text("FROM scratch\nCOPY containers.list var.tgz /\n")
    build = ["podman", "build", "-q", *options, "-t", one_layer, "-f", str(recipe), str(tmp_path)]
    try:
        subprocess.run(build, check=True, capture_output=True)
        subprocess.run(["podman", "push", "-q", "--tls-verify=false", one_layer], check=True, capture_output=True)
    finally:
        subprocess.run(["podman", "rmi", "-f", one_layer], check=True, capture_output=True)
    shown = json.loads(run_lca("seed", "inspect", "--no-tls-verify", "--contents", one_layer, "-o", "json"))
    assert {(file["name"], file["bytes"]) for file in shown["files"]} == {("containers.list", 2), ("var.tgz", 1000)}


def test_image_holds_no_secret_of_the_cluster(seed_site: SeedSite, image: str, tmp_path: Path) -> None:
    subprocess.run(
        ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{image}", f"dir:{tmp_path}"], check=True
    )
    script = 'for f in *; do tar xOf "$f" var.tgz 2>/dev/null | tar xzO 2>/dev/null; done | cat -v'
    content = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True).stdout
    assert "registry.connect.redhat.com" in content  # the pull secret that opens nothing
    # etcd's history is left out: recert, which compacts it, is a stand-in here.
    files = "\n".join(line for line in content.splitlines() if '"auths"' in line and "/registry/" not in line)
    for auth in json.loads(seed_site.pull_secret)["auths"].values():
        assert auth["auth"] not in files


@pytest.fixture
def target(seed_site: SeedSite, tmp_path: Path) -> Iterator[Site]:
    """A site of an older release that gets its images where the seed's are."""
    site = Site(tmp_path / "target")
    site.sandbox.layout.make_directories()
    site.sandbox.faults.set("registry-down")  # its own
    site.sandbox.create(Identity.make("4.15.0"), registry=seed_site.registry)
    site.sandbox.start(owner_pid=os.getpid())
    site.sandbox.wait_ready()
    yield site
    site.stop()
    site.sandbox.purge()


def test_another_site_is_upgraded_from_it(target: Site, image: str) -> None:
    checked = run_lca("seed", "inspect", "--no-tls-verify", "--check", image, kubeconfig=target.kubeconfig)
    assert "Check:      fits this cluster" in checked
    target.follow(has_ended("Idle"))
    before = read_cluster_id(target)
    target.set_stage("Prep", seedImageRef={"version": VERSION, "image": image})
    assert list_conditions(target.follow(has_ended("Prep"))[-1])[-1][3] == "Prep stage completed successfully"
    target.set_stage("Upgrade")
    assert list_conditions(target.follow(has_ended("Upgrade"))[-1])[-1][3] == "Upgrade completed"
    assert target.booted == f"rhcos_{VERSION}"
    assert read_cluster_id(target) == before
    target.set_stage("Idle")
    assert list_conditions(target.follow(has_ended("Idle"))[-1]) == [("Idle", "True", "Idle", "Idle")]
    assert target.sandbox.run("ls", "/sysroot/ostree/deploy").stdout.split() == [f"rhcos_{VERSION}"]


def read_cluster_id(site: Site) -> str:
    with site.connect() as client:
        return str(client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"])


def test_secret_is_deleted_while_the_image_is_made_and_told_nowhere(seed_site: SeedSite, image: str) -> None:
    assert seed_site.client.find(SECRET, "seedgen", NAMESPACE)
    logs = seed_site.run("bash", "-c", f"cat /var/log/pods/{NAMESPACE}_*/*/*.log")
    logs += (seed_site.sandbox.layout.logs / "lca-generate-seed-image.log").read_text()
    for secret in ("s3cr3t", "c2VjcmV0OnMzY3IzdA", "PRIVATE KEY", seed_site.pull_secret):
        assert secret not in logs


def test_rejection_leaves_everything_alone(site: SeedSite) -> None:
    site.client.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "open-cluster-management-addon-x"}}
    )
    site.ask()
    message = "Rejected due to presence of ACM addon(s): open-cluster-management-addon-x"
    assert site.wait_ended() == [
        ("SeedGenCompleted", "False", "Failed", f"Seed generation failed: {message}"),
        ("SeedGenInProgress", "False", "Failed", message),
    ]
    namespaces = Kind("", "v1", "Namespace")
    site.client.delete(namespaces, "open-cluster-management-addon-x")
    with site.client.watch(namespaces, name="open-cluster-management-addon-x", timeout_seconds=WAIT_SECONDS) as watch:
        assert any(event.type == "DELETED" for event in watch)
