"""The rendered Jobs carry what prep.md 6 and 8 list, and nothing of the Deployment's that they must not."""

from typing import Any

import pytest

from agent.ibu.prep.jobs import Owner, RenderError, render_image_list, render_precache_job, render_stateroot_job

OWNER = Owner("upgrade", "uid-1")
MANAGER: dict[str, Any] = {
    "name": "manager",
    "image": "quay.io/lca:1",
    "imagePullPolicy": "Always",
    "env": [{"name": "A", "value": "b"}, {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "securityContext": {"privileged": True},
    "volumeMounts": [{"name": "host-root", "mountPath": "/host"}],
    "resources": {"requests": {"cpu": "100m"}},
    "tty": True,
    "livenessProbe": {"httpGet": {"path": "/healthz"}},
}
POD: dict[str, Any] = {
    "hostPID": True,
    "serviceAccountName": "lifecycle-agent-controller-manager",
    "tolerations": [{"operator": "Exists"}],
    "volumes": [{"name": "host-root", "hostPath": {"path": "/"}}],
    "containers": [{"name": "sidecar"}, MANAGER],
}
DEPLOYMENT = {"metadata": {"name": "x", "namespace": "ns"}, "spec": {"template": {"spec": POD}}}


def test_stateroot_job_copies_the_manager_container() -> None:
    job = render_stateroot_job(DEPLOYMENT, OWNER)
    [container] = job["spec"]["template"]["spec"]["containers"]
    copied = ("image", "imagePullPolicy", "env", "securityContext", "volumeMounts", "resources")
    assert {key: container[key] for key in copied} == {key: MANAGER[key] for key in copied}
    assert not {"tty", "livenessProbe", "envFrom"} & set(container)


def test_stateroot_job_pod_is_never_restarted_and_has_time_to_finish() -> None:
    spec = render_stateroot_job(DEPLOYMENT, OWNER)["spec"]
    pod = spec["template"]["spec"]
    assert (spec["backoffLimit"], pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == (0, "Never", 1800)
    assert (pod["hostPID"], "tolerations" in pod) == (True, False)


@pytest.mark.parametrize(
    ("job", "name", "finalizer", "label"),
    [
        (
            render_stateroot_job(DEPLOYMENT, OWNER),
            "lca-prep-stateroot-setup",
            "lca.openshift.io/stateroot-setup-finalizer",
            "lca-prep-stateroot-setup",
        ),
        (
            render_precache_job(DEPLOYMENT, OWNER, image="i", pod_env=[]),
            "lca-prep-precache",
            "lca.openshift.io/precache-finalizer",
            "lifecycle-agent-precache",
        ),
    ],
    ids=["stateroot", "precache"],
)
def test_job_metadata_is_what_tools_look_for(job: dict[str, Any], name: str, finalizer: str, label: str) -> None:
    metadata = job["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["finalizers"]) == (name, "ns", [finalizer])
    assert metadata["annotations"] == {"app.kubernetes.io/name": label}
    assert metadata["ownerReferences"][0]["uid"] == "uid-1"
    assert metadata["ownerReferences"][0]["controller"] is True


@pytest.mark.parametrize(
    ("pod_env", "threads"),
    [([], "10"), ([{"name": "MAX_PULL_THREADS", "value": "3"}], "3")],
    ids=["default", "user"],
)
def test_precache_job_threads_are_the_users_or_ten(pod_env: list[dict[str, Any]], threads: str) -> None:
    job = render_precache_job(DEPLOYMENT, OWNER, image="i", pod_env=pod_env)
    env = {e["name"]: e["value"] for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env == {"PRECACHE_SPEC_FILE": "/tmp/images.txt", "MAX_PULL_THREADS": threads}


def test_precache_job_drops_indirect_variables() -> None:
    job = render_precache_job(DEPLOYMENT, OWNER, image="i", pod_env=MANAGER["env"])
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert [e["name"] for e in container["env"]] == ["A", "PRECACHE_SPEC_FILE", "MAX_PULL_THREADS"]


def test_precache_job_without_image_is_refused() -> None:
    with pytest.raises(RenderError, match="missing PRECACHE_WORKLOAD_IMG environment variable"):
        render_precache_job(DEPLOYMENT, OWNER, image="", pod_env=[])


def test_stateroot_job_without_manager_container_is_refused() -> None:
    deployment = {"metadata": {"namespace": "ns"}, "spec": {"template": {"spec": {"containers": []}}}}
    with pytest.raises(RenderError, match="no 'manager' container found in deployment"):
        render_stateroot_job(deployment, OWNER)


def test_image_list_is_one_image_per_line() -> None:
    assert render_image_list("ns", ["a", "b"])["data"] == {"images.txt": "a\nb\n"}
