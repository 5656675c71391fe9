"""The whole way of a seed: made from a node, pulled, deployed, booted, given the site's identity, and back again.

One sandbox goes through it; the tests run in the order in which they stand.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.kube import Client, Kind
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.seed import make_seed

NODE = Kind("", "v1", "Node")
NAMESPACE = Kind("", "v1", "Namespace")
INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
STATEROOT = "rhcos_4.16.1"
SCRIPTS = Path(__file__).parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("site"))
    sandbox.create(Identity.make("4.15.0"))
    sandbox.start(owner_pid=os.getpid())
    sandbox.wait_ready()
    yield sandbox
    sandbox.down()
    sandbox.purge()


@pytest.fixture(scope="module")
def old_kubeconfig(site: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that somebody keeps; nobody rewrites it."""
    return Path(shutil.copy(site.layout.kubeconfig, tmp_path_factory.mktemp("user") / "kubeconfig"))


def run_script(sandbox: Sandbox, name: str, *arguments: str) -> int:
    shutil.copy(SCRIPTS / name, sandbox.layout.run / name)
    done = sandbox.run("bash", f"/run/{name}", *arguments, check=False)
    print(done.stdout, done.stderr)
    return done.returncode


def names(kubeconfig: Path, kind: Kind) -> list[str]:
    with contextlib.closing(Client.connect(kubeconfig)) as client:
        return [each["metadata"]["name"] for each in client.list(kind)]


def test_seed_is_deployed_beside_the_running_release(site: Sandbox, old_kubeconfig: Path) -> None:
    with contextlib.closing(Client.connect(old_kubeconfig)) as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "only-before"}})
    image = make_seed(site, "4.16.1")
    assert run_script(site, "pivot.bash", image, STATEROOT) == 0
    assert [each["stateroot"] for each in site.status()["deployments"]] == [STATEROOT, "rhcos"]


def test_pivot_boots_the_seed_without_a_cluster(site: Sandbox) -> None:
    site.reboot()
    assert site.state()["booted"] | {"deployment": ""} == {
        "stateroot": STATEROOT,
        "deployment": "",
        "version": "4.16.1",
    }
    assert "ibu=yes" in site.run("cat", "/proc/cmdline").stdout
    assert site.run("systemctl", "is-active", "kubelet", check=False).stdout == "inactive\n"


def test_failing_recert_leaves_its_reason(site: Sandbox) -> None:
    site.faults.set("postpivot-fails", "no luck today")
    assert run_script(site, "recert.bash", "sno1", "sno1-abcde") == 1
    assert "no luck today" in site.run("cat", "/var/tmp/recert-summary.yaml").stdout
    site.faults.clear()


def test_recert_gives_the_seed_the_names_of_the_site(site: Sandbox, old_kubeconfig: Path) -> None:
    assert run_script(site, "recert.bash", "sno1", "sno1-abcde") == 0
    site.run("systemctl", "enable", "--now", "kubelet")
    site.wait_ready()
    # The kubeconfig from before still opens the API server, because the signer's key was kept.
    assert names(old_kubeconfig, NODE) == ["sno1"]
    with contextlib.closing(Client.connect(old_kubeconfig)) as client:
        status = client.get(INFRASTRUCTURE, "cluster")["status"]
    assert (status["infrastructureName"], status["apiServerURL"]) == ("sno1-abcde", "https://api.sno1.example.com:6443")


def test_cluster_of_the_seed_lacks_what_the_site_had(site: Sandbox) -> None:
    assert "only-before" not in names(site.layout.kubeconfig, NAMESPACE)


def test_rollback_brings_the_old_cluster_back(site: Sandbox) -> None:
    site.run("ostree", "admin", "set-default", "1")
    site.reboot()
    site.wait_ready()
    assert site.state()["booted"]["stateroot"] == "rhcos"
    assert "only-before" in names(site.layout.kubeconfig, NAMESPACE)
