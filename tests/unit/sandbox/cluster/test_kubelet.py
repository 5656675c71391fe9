from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster.kubelet.bubblewrap import ContainerPlan, Mount, bubblewrap_argv
from sandbox.cluster.kubelet.downward import PodConfigError, field_value, resource_value
from sandbox.cluster.kubelet.environment import build_environment, expand
from sandbox.cluster.kubelet.files import Content, write_payload
from sandbox.cluster.kubelet.logs import LogQuery, LogWriter, read_log
from sandbox.cluster.kubelet.status import ContainerRecord, pod_phase, pod_status, resume_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class NoSources:
    def config_map(self, name: str) -> dict[str, bytes] | None:
        return None

    def secret(self, name: str) -> dict[str, bytes] | None:
        return None


def pod(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "n", "uid": "u", "labels": {"a.b/c": "d"}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main"}], **spec}, "status": {}}


def record(code: int | None = None, *, running: bool = False) -> ContainerRecord:
    state = {"running": {}} if running else {"terminated": {"exitCode": code}} if code is not None else {"waiting": {}}
    return ContainerRecord("main", "image", state)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)$(A)", "11"), ("$(NONE)", "$(NONE)"), ("$$(A)", "$(A)"), ("$A ${A} $(", "$A ${A} $("), ("$$$(A)", "$1")],
)
def test_expand_replaces_known_references_only(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_environment_with_missing_config_map_names_it() -> None:
    container = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
    with pytest.raises(PodConfigError, match='configmap "settings" not found'):
        build_environment(pod(), container, NoSources(), {}, {})


def test_field_of_a_label_is_found_by_its_name() -> None:
    assert field_value(pod(), "metadata.labels['a.b/c']") == "d"
    with pytest.raises(PodConfigError, match="unsupported fieldPath: spec.x"):
        field_value(pod(), "spec.x")


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.memory", "1Mi", "20"),
        ("limits.cpu", None, "4"),
        ("requests.cpu", "1m", "100"),
        ("limits.cpu", "1m", "4000"),
    ],
)
def test_resource_is_given_in_units_of_the_divisor(resource: str, divisor: str | None, expected: str) -> None:
    container = {"resources": {"limits": {"memory": "20Mi"}, "requests": {"cpu": "100m"}}}
    assert resource_value(container, resource, divisor, {"cpu": "4"}) == expected


@pytest.mark.parametrize(
    ("policy", "records", "phase"),
    [
        ("Never", [record()], "Pending"),
        ("Never", [record(running=True), record(0)], "Running"),
        ("Never", [record(0), record(0)], "Succeeded"),
        ("Never", [record(0), record(3)], "Failed"),
        ("OnFailure", [record(3)], "Running"),
        ("Always", [record(0)], "Running"),
    ],
)
def test_phase_follows_from_containers_and_policy(policy: str, records: list[ContainerRecord], phase: str) -> None:
    assert pod_phase(pod(restartPolicy=policy), [], records) == phase


def test_phase_with_a_failed_init_container_depends_on_the_policy() -> None:
    assert pod_phase(pod(restartPolicy="Never"), [record(1)], [record()]) == "Failed"
    assert pod_phase(pod(restartPolicy="Always"), [record(1)], [record()]) == "Pending"


def test_status_keeps_the_time_of_unchanged_conditions() -> None:
    first = pod_status(pod(), [], [record(running=True)], node_ip="1.2.3.4", now=NOW)
    again = pod_status({**pod(), "status": first}, [], [record(running=True)], node_ip="1.2.3.4", now=datetime.now(UTC))
    assert again == first


def test_record_of_a_container_that_ran_before_the_reboot_counts_as_lost() -> None:
    status = {"restartCount": 2, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    resumed = resume_record({"name": "main"}, status, NOW)
    assert (resumed.exit_code, resumed.restarts) == (137, 2)
    assert resumed.state["terminated"]["reason"] == "ContainerStatusUnknown"


def test_bubblewrap_mounts_outer_targets_before_inner_ones() -> None:
    mounts = [Mount(Path("/b"), "/host/etc/x"), Mount(Path("/a"), "/host", read_only=True)]
    argv = bubblewrap_argv(ContainerPlan(["true"], {}, "pod", mounts), 9)
    assert argv.index("/host") < argv.index("/host/etc/x")
    assert argv[argv.index("/host") - 2 :][:2] == ["--ro-bind", "/a"]


def test_bubblewrap_changes_the_user_only_on_demand() -> None:
    assert "/usr/bin/setpriv" not in bubblewrap_argv(ContainerPlan(["true"], {}, "pod"), 9)
    assert "--reuid=1000" in bubblewrap_argv(ContainerPlan(["true"], {}, "pod", user=1000), 9)


def test_payload_written_anew_shows_exactly_the_new_files(tmp_path: Path) -> None:
    write_payload(tmp_path, {"a": Content(b"1", 0o600), "deep/b": Content(b"2", 0o644)})
    first = (tmp_path / "..data").resolve()
    write_payload(tmp_path, {"a": Content(b"3", 0o600)})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["a"]
    assert not first.exists()


def test_payload_that_did_not_change_is_left_alone(tmp_path: Path) -> None:
    write_payload(tmp_path, {"a": Content(b"1", 0o600)})
    before = (tmp_path / "..data").resolve()
    write_payload(tmp_path, {"a": Content(b"1", 0o600)})
    assert (tmp_path / "..data").resolve() == before


def written_log(path: Path, *parts: bytes) -> Path:
    writer = LogWriter(path / "0.log")
    for part in parts:
        writer.write("stdout", part)
    writer.close()
    return path / "0.log"


def read(path: Path, **query: Any) -> bytes:
    return b"".join(read_log(path, LogQuery(**query), lambda: False))


def test_log_read_back_is_what_was_printed(tmp_path: Path) -> None:
    assert read(written_log(tmp_path, b"one\ntw", b"o\nunfinished")) == b"one\ntwo\nunfinished"


def test_log_tail_and_limit_cut_at_the_right_ends(tmp_path: Path) -> None:
    path = written_log(tmp_path, b"one\ntwo\nthree\n")
    assert read(path, tail_lines=2) == b"two\nthree\n"
    assert read(path, tail_lines=0) == b""
    assert read(path, limit_bytes=5) == b"one\nt"


def test_log_since_a_time_leaves_older_lines_out(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"2026-01-01T00:00:00.000000000Z stdout F old\n2026-01-01T00:00:02.000000000Z stdout F new\n")
    assert read(path, since=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), timestamps=True).endswith(b"00Z new\n")
    assert b"old" not in read(path, since=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))
