"""Pods that run to their end: programs, variables, mounts, exit codes."""

from __future__ import annotations

import json

from tests.flow.cluster.conftest import POD, RunningCluster, shell


def test_pod_with_command_succeeds_and_its_log_is_readable(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [shell("echo one; echo two >&2")]})
    pod = cluster.await_phase(namespace, "Succeeded")
    assert sorted(cluster.log(namespace).split()) == ["one", "two"]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_pod_that_fails_shows_exit_code_and_message(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [shell("echo no disk > /dev/termination-log; exit 7")]})
    ended = cluster.await_phase(namespace, "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "no disk\n")


def test_pod_that_fails_without_message_shows_its_last_log_lines(cluster: RunningCluster, namespace: str) -> None:
    container = shell("echo what went wrong; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    cluster.run_pod(namespace, {"containers": [container]})
    ended = cluster.await_phase(namespace, "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["message"] == "what went wrong\n"


def test_pod_gets_variables_of_every_kind(cluster: RunningCluster, namespace: str) -> None:
    for kind, key in (("ConfigMap", "data"), ("Secret", "stringData")):
        metadata = {"name": "source", "namespace": namespace}
        cluster.client.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, key: {"A": f"from {kind}"}})
    env = [
        {"name": "PLAIN", "value": "p"},
        {"name": "MADE", "value": "$(PLAIN)-$(POD)-$$(PLAIN)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "source", "key": "A"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "A", "optional": True}}},
    ]
    env_from = [{"prefix": "CM_", "configMapRef": {"name": "source"}}]
    script = 'echo "$0|$MADE|$POD|$MEM|$KEY|$CM_A|${NONE-unset}"'
    container = shell(script, env=env, envFrom=env_from, resources={"limits": {"memory": "20Mi"}}, args=["$(POD)"])
    cluster.run_pod(namespace, {"containers": [container]})
    cluster.await_phase(namespace, "Succeeded")
    assert cluster.log(namespace) == "pod|p-$(POD)-$(PLAIN)|pod|20|from Secret|from ConfigMap|unset\n"


def test_pod_sees_config_map_secret_and_host_files(cluster: RunningCluster, namespace: str) -> None:
    host = cluster.config.node_root / "srv" / namespace
    host.mkdir(parents=True)
    (host / "from-host").write_text("host file")
    metadata = {"name": "files", "namespace": namespace}
    cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "b": "2"}})
    cluster.client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"s": "3"}})
    volumes = [
        {"name": "cm", "configMap": {"name": "files", "items": [{"key": "a", "path": "deep/a"}]}},
        {"name": "secret", "secret": {"secretName": "files", "defaultMode": 0o400}},
        {"name": "host", "hostPath": {"path": f"/srv/{namespace}", "type": "Directory"}},
        {"name": "empty", "emptyDir": {}},
    ]
    mounts = [{"name": v["name"], "mountPath": f"/mnt/{v['name']}"} for v in volumes]
    script = (
        "cd /mnt; cat cm/deep/a secret/s host/from-host; test ! -e cm/b; stat -L -c %a secret/s; "
        "echo from pod > host/from-pod; echo x > empty/x"
    )
    cluster.run_pod(namespace, {"volumes": volumes, "containers": [shell(script, volumeMounts=mounts)]})
    cluster.await_phase(namespace, "Succeeded")
    assert cluster.log(namespace) == "13host file400\n"
    assert (host / "from-pod").read_text() == "from pod\n"


def test_pod_runs_init_containers_one_after_the_other(cluster: RunningCluster, namespace: str) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    init = [
        {**shell("echo first > /shared/f", **mount), "name": "first"},
        {**shell("cat /shared/f > /shared/g", **mount), "name": "second"},
    ]
    containers = [shell("cat /shared/g", **mount)]
    volumes = [{"name": "shared", "emptyDir": {}}]
    cluster.run_pod(namespace, {"initContainers": init, "containers": containers, "volumes": volumes})
    cluster.await_phase(namespace, "Succeeded")
    assert cluster.log(namespace) == "first\n"


def test_pod_with_service_account_talks_to_the_api_within_its_rights(cluster: RunningCluster, namespace: str) -> None:
    script = (
        "from agent.kube import Client, Kind, errors\n"
        "client = Client.connect()\n"
        "print(client.version()['gitVersion'])\n"
        "try:\n    client.list(Kind('', 'v1', 'Secret'))\n"
        "except errors.Forbidden as error:\n    print(error)\n"
    )
    container = {"name": "main", "image": "x", "command": ["python", "-c", script]}
    cluster.run_pod(namespace, {"containers": [container]})
    cluster.await_phase(namespace, "Succeeded")
    version, refusal = cluster.log(namespace).splitlines()
    assert version == cluster.client.version()["gitVersion"]
    assert f'User "system:serviceaccount:{namespace}:default" cannot list resource "secrets"' in refusal


def test_pod_with_missing_config_map_starts_when_it_appears(cluster: RunningCluster, namespace: str) -> None:
    volumes = [{"name": "late", "configMap": {"name": "late"}}]
    mounts = [{"name": "late", "mountPath": "/late"}]
    cluster.run_pod(namespace, {"volumes": volumes, "containers": [shell("cat /late/k", volumeMounts=mounts)]})
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    cluster.await_object(
        POD, "pod", namespace, lambda pod: pod["status"].get("containerStatuses", [{}])[0].get("state") == waiting
    )
    metadata = {"name": "late", "namespace": namespace}
    cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}})
    cluster.await_phase(namespace, "Succeeded")


def test_pod_of_unknown_image_says_why_it_waits(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [{"name": "main", "image": "quay.io/some/thing:1"}]})

    def reason(pod: dict) -> str:
        (status,) = pod["status"].get("containerStatuses") or [{"state": {}}]
        return status["state"].get("waiting", {}).get("message", "")

    pod = cluster.await_object(POD, "pod", namespace, lambda pod: "not unpacked" in reason(pod))
    assert "give the container a command" in reason(pod)


def test_pod_with_unknown_program_says_where_it_looked(cluster: RunningCluster, namespace: str) -> None:
    cluster.run_pod(namespace, {"containers": [{"name": "main", "image": "x", "command": ["no-such-program"]}]})
    pod = cluster.await_object(
        POD, "pod", namespace, lambda pod: "no-such-program" in json.dumps(pod["status"].get("containerStatuses", ""))
    )
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerError"
    assert "executable file not found in $PATH" in waiting["message"]
