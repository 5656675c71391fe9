"""Step 11: recert runs once, with etcd beside it for exactly as long; what an earlier, killed run left is taken up.

podman is a script that plays both containers; etcd's health is answered by a real HTTP server on a free port.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.node.recert import etcd
from agent.workflow.outcome import Done
from tests.host.postpivot.conftest import OPENSHIFT, SITE, FolderNode

SUMMARY = "/var/tmp/recert-summary.yaml"
MARKER, FAILED = f"{OPENSHIFT}/recert.done", f"{OPENSHIFT}/recert.failed"
FOUND = (
    f"failed to run once recert for post pivot: found {SUMMARY} file, returning error, it means recert previously "
    "failed. In case you still want to rerun it please remove the file"
)
PODMAN = """
case "$1 $2" in
  "container exists") [ -e "$NODE/leftover" ]; exit ;;
  wait*) rm "$NODE/leftover"; [ ! -e "$NODE/left-summary" ] || mv "$NODE/left-summary" "$NODE/root$SUMMARY" ;;
  "image exists") [ -e "$NODE/image" ]; exit ;;
  pull*) echo "HTTP_PROXY=$HTTP_PROXY" >>"$NODE/pulls"; [ ! -e "$NODE/no-registry" ] && touch "$NODE/image"; exit ;;
  run*) case "$*" in *"--name recert "*) recert ;; esac ;;
esac
"""
GOOD = 'recert() { echo "recert_config: {}" >"$NODE/root$SUMMARY"; }'
BAD = 'recert() { echo "error: no luck" >"$NODE/root$SUMMARY"; echo "Error: no luck"; exit 1; }'
BAD_WITHOUT_REASON = 'recert() { echo "summary: {}" >"$NODE/root$SUMMARY"; exit 1; }'
ETCD = (
    "podman run --rm --network=host --privileged --replace --authfile /var/lib/kubelet/config.json --detach "
    "--name recert_etcd --entrypoint etcd -v /var/lib/etcd:/store quay.io/etcd:1 --name editor --data-dir /store"
)
RECERT = (
    "podman run --rm --network=host --privileged --replace --name recert -v /etc:/host-etc -v /etc/ssh:/ssh "
    "-v /etc/kubernetes:/kubernetes -v /var/lib/kubelet:/kubelet -v /var/tmp:/var/tmp "
    "-v /etc/machine-config-daemon:/machine-config-daemon -v /etc/pki:/pki "
    "-e RECERT_CONFIG=/opt/openshift/recert_config.json --authfile /var/lib/kubelet/config.json "
    "-v /opt/openshift:/opt/openshift quay.io/recert:v0"
)


class Health(http.server.BaseHTTPRequestHandler):
    """Answers as a healthy etcd, or as one that is not ready."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(autouse=True)
def health(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Health]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    monkeypatch.setattr(etcd, "_PORT", server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Health
    Health.status = 200
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def node(node: FolderNode) -> FolderNode:
    """A node on which recert does well, with its image there."""
    play(node, GOOD)
    (node.directory / "image").touch()
    (node.directory / "bin/update-ca-trust").symlink_to("podman")
    node.root.path("/var/tmp").mkdir(parents=True)
    pod = {"spec": {"containers": [{"name": "etcdctl", "image": "x"}, {"name": "etcd", "image": "quay.io/etcd:1"}]}}
    node.write("/etc/kubernetes/manifests/etcd-pod.yaml", json.dumps(pod))
    return node


def play(node: FolderNode, recert: str) -> None:
    node.break_program("podman", f"SUMMARY={SUMMARY}\n{recert}\n{PODMAN}")


def list_runs(node: FolderNode) -> list[str]:
    return [command for command in node.commands if "--name recert " in command]


def test_recert_runs_between_start_and_end_of_its_etcd(node: FolderNode) -> None:
    assert node.run_step("reconfigure_cluster") == Done()
    assert node.commands == [
        "podman container exists recert",
        "podman image exists quay.io/recert:v0",
        ETCD,
        RECERT,
        "podman stop recert_etcd",
        "update-ca-trust",
    ]
    assert node.root.path(MARKER).exists()
    config = json.loads(node.read(f"{OPENSHIFT}/recert_config.json"))
    assert config["cluster_rename"] == "sno:example.com"
    assert config["pull_secret"] == SITE["pull_secret"]
    assert node.mode(f"{OPENSHIFT}/recert_config.json") == 0o600
    names = sorted(path.name for path in node.root.path(f"{OPENSHIFT}/kubeconfig-crypto").iterdir())
    assert len(names) == 5
    assert {node.mode(f"{OPENSHIFT}/kubeconfig-crypto/{name}") for name in names} == {0o600}


def test_recert_that_has_run_is_not_run_again_and_no_etcd_is_left(node: FolderNode) -> None:
    node.write(MARKER, "")
    assert node.run_step("reconfigure_cluster") == Done()
    assert node.commands == ["podman stop recert_etcd"]


def test_failing_recert_is_told_and_its_etcd_is_stopped(node: FolderNode) -> None:
    play(node, BAD)
    assert node.fail_step("reconfigure_cluster") == (
        "failed to run once recert for post pivot: failed recert full flow: "
        "failed to run recert tool container: Error: no luck\n: exit status 1"
    )
    assert node.commands[-1] == "podman stop recert_etcd"
    assert not node.root.path(MARKER).exists()


@pytest.mark.parametrize(("recert", "reason"), [(BAD, ": no luck"), (BAD_WITHOUT_REASON, "")])
def test_recert_that_failed_before_is_not_run_again(node: FolderNode, recert: str, reason: str) -> None:
    play(node, recert)
    node.fail_step("reconfigure_cluster")
    play(node, GOOD)
    assert node.fail_step("reconfigure_cluster") == FOUND + reason
    assert len(list_runs(node)) == 1


def test_recert_that_failed_before_is_run_again_when_its_summary_is_removed(node: FolderNode) -> None:
    play(node, BAD)
    node.fail_step("reconfigure_cluster")
    node.root.path(SUMMARY).unlink()
    play(node, GOOD)
    assert node.run_step("reconfigure_cluster") == Done()
    assert not node.root.path(FAILED).exists()


def test_summary_that_nobody_here_has_written_is_a_failure(node: FolderNode) -> None:
    node.write(SUMMARY, "summary: {}\n")
    assert node.fail_step("reconfigure_cluster") == FOUND
    assert list_runs(node) == []


def test_recert_that_succeeded_before_the_program_was_killed_counts(node: FolderNode) -> None:
    """Killed between recert's end and the marker: the summary without an error stands for it."""
    node.write(f"{OPENSHIFT}/recert_config.json", "{}")
    node.write(SUMMARY, "recert_config: {}\n")
    assert node.run_step("reconfigure_cluster") == Done()
    assert list_runs(node) == []
    assert "podman stop recert_etcd" in node.commands
    assert "update-ca-trust" in node.commands
    assert node.root.path(MARKER).exists()


def test_recert_that_still_runs_for_a_killed_program_is_awaited(node: FolderNode) -> None:
    node.write(f"{OPENSHIFT}/recert_config.json", "{}")
    (node.directory / "leftover").touch()
    (node.directory / "left-summary").write_text("recert_config: {}\n")
    assert node.run_step("reconfigure_cluster") == Done()
    assert node.commands[:2] == ["podman container exists recert", "podman wait recert"]
    assert list_runs(node) == []


def test_recert_that_a_power_loss_ended_is_run_again(node: FolderNode) -> None:
    node.write(f"{OPENSHIFT}/recert_config.json", "{}")
    (node.directory / "leftover").touch()
    assert node.run_step("reconfigure_cluster") == Done()
    assert len(list_runs(node)) == 1


def test_failing_trust_after_recert_does_not_run_it_again(node: FolderNode) -> None:
    node.break_program("update-ca-trust")
    assert node.fail_step("reconfigure_cluster").startswith(
        "failed to run once recert for post pivot: failed to run bash in host namespace with args [update-ca-trust]: "
    )
    assert node.root.path(MARKER).exists()
    node.mend_program("update-ca-trust")
    assert node.run_step("reconfigure_cluster") == Done()
    assert len(list_runs(node)) == 1


def test_etcd_that_does_not_serve_is_given_up_and_stopped(node: FolderNode, health: type[Health]) -> None:
    health.status = 503
    assert node.fail_step("reconfigure_cluster") == (
        "failed to run once recert for post pivot: failed recert full flow: failed to run etcd, err: "
        "failed to wait for unauthenticated etcd server: timeout waiting for etcd"
    )
    assert node.seconds == 60
    assert node.commands[-1] == "podman stop recert_etcd"
    assert list_runs(node) == []


@pytest.mark.parametrize("pod", ["", "{", '{"spec":{"containers":[{"name":"other"}]}}'])
def test_pod_file_without_an_etcd_is_told(node: FolderNode, pod: str) -> None:
    node.write("/etc/kubernetes/manifests/etcd-pod.yaml", pod)
    assert "failed to get the image of container etcd from /etc/kubernetes/manifests/etcd-pod.yaml" in node.fail_step(
        "reconfigure_cluster"
    )


def test_missing_image_is_pulled_through_the_proxy(node: FolderNode) -> None:
    (node.directory / "image").unlink()
    proxy = {"httpProxy": "http://u:hunter2@proxy:3128"}
    node.set_site(proxy=proxy, status_proxy=proxy)
    assert node.run_step("reconfigure_cluster") == Done()
    assert (node.directory / "pulls").read_text() == "HTTP_PROXY=http://u:hunter2@proxy:3128\n"
    assert "podman pull --authfile /var/lib/kubelet/config.json quay.io/recert:v0" in node.commands
    assert not [command for command in node.commands if "hunter2" in command]


def test_image_that_can_not_be_pulled_is_given_up_after_ten_minutes(node: FolderNode) -> None:
    """recert is tried all the same: podman may get it from somewhere else."""
    (node.directory / "image").unlink()
    (node.directory / "no-registry").touch()
    assert node.run_step("reconfigure_cluster") == Done()
    assert node.seconds == 600


def test_keys_of_certificates_are_kept_unless_recert_refuses_their_names(
    node: FolderNode, caplog: pytest.LogCaptureFixture
) -> None:
    folder = f"{OPENSHIFT}/cluster-configuration/certmanager-crypto"
    for name in ("CN=a__1.key", "CN=two words__1.key"):
        node.write(f"{folder}/{name}", "KEY")
    assert node.run_step("reconfigure_cluster") == Done()
    rules = json.loads(node.read(f"{OPENSHIFT}/recert_config.json"))["use_key_rules"]
    assert rules[-1] == f"a {folder}/CN=a__1.key"
    assert any("CN=two words__1.key" in message for message in caplog.messages)


def test_half_a_proxy_bundle_is_told_before_anything_is_run(node: FolderNode) -> None:
    node.set_site(additionalTrustBundle={"proxyConfigmapName": "own"})
    assert node.fail_step("reconfigure_cluster") == (
        "failed to run once recert for post pivot: failed to create recert config file: "
        "failed to set recert trusted ca bundle from seed reconfig additional trust bundle: "
        "both or neither of proxy configmap bundle and proxy configmap name must be set"
    )
    assert node.commands == ["podman container exists recert"]


def test_nothing_secret_is_logged(node: FolderNode, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level("DEBUG")
    node.run_step("reconfigure_cluster")
    assert "dXNlcjpwYXNzd29yZA" not in caplog.text
    assert "$2a$10$" not in caplog.text
