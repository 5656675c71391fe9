"""Pods that go on: restarts, probes, deletion, logs that are followed, controllers above them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Kind, Object
from sandbox.controlplane import find_binaries
from tests.flow.cluster.conftest import POD, WAIT_SECONDS, RunningCluster, shell

DEPLOYMENT = Kind("apps", "v1", "Deployment")
JOB = Kind("batch", "v1", "Job")
EVENT = Kind("", "v1", "Event")


def container_status(pod: Object) -> Object:
    (status,) = pod["status"].get("containerStatuses") or [{"state": {}, "restartCount": 0, "ready": False}]
    return status


def await_log(cluster: RunningCluster, namespace: str, text: str, *argv: str, pod: str = "pod") -> None:
    """Follow the log until a line holds `text`."""
    program = find_binaries().kubectl
    assert program
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = [program, "logs", "-f", "-n", namespace, pod, *argv]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout
        assert any(text in line for line in follower.stdout)
        follower.terminate()


def make_deployment(namespace: str, container: Object, **spec: Any) -> Object:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


@pytest.mark.parametrize(("script", "condition"), [("echo done", "Complete"), ("echo bad; exit 2", "Failed")])
def test_job_ends_as_its_pod_does(cluster: RunningCluster, namespace: str, script: str, condition: str) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [shell(script)]}}
    metadata = {"name": "job", "namespace": namespace}
    spec = {"backoffLimit": 0, "template": template}
    cluster.client.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
    cluster.await_object(
        JOB, "job", namespace, lambda job: condition in [c["type"] for c in job["status"].get("conditions") or []]
    )
    assert cluster.kubectl("logs", "-n", namespace, "job/job") == script.partition(";")[0].removeprefix("echo ") + "\n"


def test_deployment_runs_and_its_killed_program_is_started_again(cluster: RunningCluster, namespace: str) -> None:
    cluster.client.create(make_deployment(namespace, shell("echo my start; exec sleep infinity")))
    cluster.await_object(DEPLOYMENT, "web", namespace, lambda d: d["status"].get("readyReplicas") == 1)
    (pod,) = cluster.client.list(POD, namespace)
    name = pod["metadata"]["name"]
    os.kill(find_program("sleep", "infinity", pod=name), signal.SIGKILL)
    again = cluster.await_object(
        POD, name, namespace, lambda pod: container_status(pod)["restartCount"] == 1 and container_status(pod)["ready"]
    )
    assert container_status(again)["lastState"]["terminated"]["exitCode"] == 137
    assert cluster.log(namespace, "--previous", pod=name) == "my start\n"


def find_program(*argv: str, pod: str) -> int:
    """Process id of the program that runs in a Pod: its HOSTNAME tells."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if command == [word.encode() for word in argv] and f"HOSTNAME={pod}".encode() in variables:
            return int(folder.name)
    raise AssertionError(f"{argv} does not run in {pod}")


def test_deployment_scaled_down_leaves_no_pod(cluster: RunningCluster, namespace: str) -> None:
    cluster.client.create(make_deployment(namespace, shell("exec sleep infinity")))
    cluster.await_object(DEPLOYMENT, "web", namespace, lambda d: d["status"].get("readyReplicas") == 1)
    (pod,) = cluster.client.list(POD, namespace)
    cluster.client.patch_merge(DEPLOYMENT, "web", {"spec": {"replicas": 0}}, namespace)
    cluster.await_gone(POD, pod["metadata"]["name"], namespace)
    with pytest.raises(AssertionError):
        find_program("sleep", "infinity", pod=pod["metadata"]["name"])


def test_pod_that_crashes_again_and_again_backs_off(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"restartPolicy": "Always", "containers": [shell("exit 1")]})
    pod = cluster.await_object(
        POD,
        "pod",
        namespace,
        lambda pod: container_status(pod)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
    )
    assert pod["status"]["phase"] == "Running"
    assert container_status(pod)["lastState"]["terminated"]["exitCode"] == 1


def test_deleted_pod_gets_sigterm_and_may_finish(cluster: RunningCluster, namespace: str) -> None:
    host = cluster.config.node_root / "srv" / namespace
    volumes = [{"name": "host", "hostPath": {"path": f"/srv/{namespace}", "type": "DirectoryOrCreate"}}]
    script = "trap 'echo finished > /out/f; exit 0' TERM; echo waiting; while :; do sleep 0.1; done"
    container = shell(script, volumeMounts=[{"name": "host", "mountPath": "/out"}])
    cluster.run_pod(namespace, {"volumes": volumes, "containers": [container]})
    await_log(cluster, namespace, "waiting")
    cluster.client.delete(POD, "pod", namespace)
    cluster.await_gone(POD, "pod", namespace)
    assert (host / "f").read_text() == "finished\n"


def test_deleted_pod_that_does_not_listen_is_killed_after_its_grace(cluster: RunningCluster, namespace: str) -> None:
    container = shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    cluster.run_pod(namespace, {"terminationGracePeriodSeconds": 1, "containers": [container]})
    await_log(cluster, namespace, "deaf")
    cluster.client.delete(POD, "pod", namespace)
    cluster.await_gone(POD, "pod", namespace)


def test_liveness_probe_that_fails_restarts_the_container(cluster: RunningCluster, namespace: str) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    container = shell("exec sleep infinity", livenessProbe=probe)
    cluster.run_pod(namespace, {"restartPolicy": "Always", "containers": [container]})
    cluster.await_object(POD, "pod", namespace, lambda pod: container_status(pod)["restartCount"] >= 1)


def test_readiness_probe_asks_at_the_port_that_the_container_really_has(
    cluster: RunningCluster, namespace: str
) -> None:
    script = (
        "import http.server, sys\n"
        "host, port = sys.argv[1].removeprefix('--bind=').split(':')\n"
        "http.server.HTTPServer((host, int(port)), http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    container = {
        "name": "main",
        "image": "x",
        "command": ["python", "-c", script, "--bind=127.0.0.1:80"],
        "ports": [{"name": "web", "containerPort": 80}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
    }
    cluster.run_pod(namespace, {"containers": [container]})
    cluster.await_object(POD, "pod", namespace, lambda pod: container_status(pod)["ready"])
    messages = [event["message"] for event in cluster.client.list(EVENT, namespace) if event["reason"] == "Started"]
    assert re.fullmatch(r"Started container main, port 80 is \d+", messages[0])


def test_log_can_be_followed_cut_and_dated(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [shell("echo one; echo two; sleep 0.5; echo three")]})
    cluster.await_object(POD, "pod", namespace, lambda pod: "running" in container_status(pod)["state"])
    assert cluster.log(namespace, "-f") == "one\ntwo\nthree\n"
    assert cluster.log(namespace, "--tail=1") == "three\n"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[0-9:.]+Z three\n", cluster.log(namespace, "--tail=1", "--timestamps"))
    assert cluster.log(namespace, f"--since={WAIT_SECONDS * 10}s") == "one\ntwo\nthree\n"


def test_exec_is_refused_with_advice(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [shell("exec sleep infinity")]})
    cluster.await_phase(namespace, "Running")
    refusal = cluster.kubectl("exec", "-n", namespace, "pod", "--", "true", fails=True)
    assert "lca sandbox exec" in refusal


def test_pod_over_its_deadline_fails(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"activeDeadlineSeconds": 1, "containers": [shell("exec sleep infinity")]})
    pod = cluster.await_phase(namespace, "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
