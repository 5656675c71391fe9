"""One Pod from its first container to its end: a thread that owns everything about it.

The thread looks at the Pod, does what can be done now, writes the status if it changed, and sleeps until something
happens: the Pod changes, a container ends, or a time comes (probe, back-off, grace period).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from agent.kube import Kind, Object, errors
from sandbox.cluster.kubelet.containers import ContainerStarter
from sandbox.cluster.kubelet.downward import PodConfigError
from sandbox.cluster.kubelet.environment import all_containers
from sandbox.cluster.kubelet.logs import log_path, tail_text
from sandbox.cluster.kubelet.probes import Probe
from sandbox.cluster.kubelet.runtime import Container
from sandbox.cluster.kubelet.status import (
    RESTART_ALWAYS,
    RESTART_ON_FAILURE,
    ContainerRecord,
    format_time,
    pod_status,
    resume_record,
    will_restart,
)

POD = Kind("", "v1", "Pod")
_RETRY_SECONDS = 2.0
_REFRESH_SECONDS = 60.0
_BACKOFF_SECONDS = 1.0
_BACKOFF_LIMIT_SECONDS = 30.0
_BACKOFF_FORGET_SECONDS = 120.0
_MESSAGE_BYTES = 4096
_LOG_MESSAGE_BYTES, _LOG_MESSAGE_LINES = 2048, 80

_log = logging.getLogger(__name__)


@dataclass
class _Slot:
    """One container of the Pod and what is planned for it."""

    spec: Object
    record: ContainerRecord
    init: bool
    process: Container | None = None
    not_before: float = 0.0
    backoff_seconds: float = 0.0
    started_at: float = 0.0
    kill_at: float | None = None
    probes: list[Probe] = field(default_factory=list)


class PodWorker:
    """Runs one Pod. `on_gone` is called in the worker's thread when nothing of the Pod is left."""

    def __init__(self, starter: ContainerStarter, pod: Object, on_gone: Callable[[str], None]) -> None:
        self._starter, self._client, self._pod, self._on_gone = starter, starter.client, pod, on_gone
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._volumes = starter.volumes_of(pod)
        self._refresh_at = 0.0
        self._failure = ""
        self._kill_at: float | None = None
        self._deleting = self._vanished = self._stopping = False
        self._published: Object = {}
        now = datetime.now(UTC)
        reported = {
            status["name"]: status
            for key in ("initContainerStatuses", "containerStatuses")
            for status in pod["status"].get(key) or []
        }
        init = {c["name"] for c in pod["spec"].get("initContainers") or []}
        self._slots = [
            _Slot(spec, resume_record(spec, reported.get(spec["name"]), now), spec["name"] in init)
            for spec in all_containers(pod)
        ]
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        self._thread = threading.Thread(target=self._run, name=f"pod {name}", daemon=True)

    @property
    def pod(self) -> Object:
        """The Pod as last seen."""
        return self._pod

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def update(self, pod: Object) -> None:
        """The Pod was changed."""
        self._inbox.put(lambda: setattr(self, "_pod", pod))

    def vanish(self) -> None:
        """The Pod is no longer in the API: end it at once."""
        self._inbox.put(self._end_vanished)

    def stop(self, grace_seconds: float) -> None:
        """The node goes down: end the containers, leave the Pod as it is."""

        def end() -> None:
            self._stopping = True
            self._end(grace_seconds)

        self._inbox.put(end)

    def join(self, timeout_seconds: float) -> None:
        """Wait for the worker's end."""
        self._thread.join(timeout_seconds)

    def restarts_of(self, container: str) -> int | None:
        """How often a container was restarted; None if the Pod has none of that name."""
        return next((slot.record.restarts for slot in self._slots if slot.record.name == container), None)

    def is_running(self, container: str, restarts: int) -> bool:
        """Whether that very start of the container goes on."""
        return any(
            slot.record.name == container and slot.record.restarts == restarts and slot.process is not None
            for slot in self._slots
        )

    def _run(self) -> None:
        try:
            while not self._over():
                try:
                    pause = self._advance()
                    self._publish()
                except errors.Conflict:
                    continue
                except errors.NotFound:
                    self._end_vanished()
                    continue
                except errors.Closed:
                    if not self._stopping:
                        raise
                    pause = self._until(self._kill_at)
                except errors.ApiError as error:
                    _log.warning("%s: %s", self._thread.name, error)
                    pause = _RETRY_SECONDS
                if not self._over():
                    self._take(pause)
        except errors.Closed:
            return
        finally:
            for slot in self._slots:
                if slot.process:
                    slot.process.kill()
            self._on_gone(self._pod["metadata"]["uid"])

    def _take(self, pause: float | None) -> None:
        try:
            self._inbox.get(timeout=pause)()
        except Empty:
            return

    def _over(self) -> bool:
        idle = all(slot.process is None for slot in self._slots)
        return idle and (self._stopping or self._vanished)

    # what can be done now

    def _advance(self) -> float | None:
        """Do what can be done; returns the seconds until time alone makes more possible (None: never)."""
        now = time.monotonic()
        self._notice_deletion(now)
        if self._kill_at is not None:
            return self._finish(now)
        if self._phase() in ("Succeeded", "Failed"):
            return None
        if (deadline := self._deadline()) is not None and deadline <= 0:
            self._failure = "DeadlineExceeded"
            self._end(self._pod["spec"].get("terminationGracePeriodSeconds", 30))
            return 0
        try:
            self._prepare(now)
        except PodConfigError as error:
            self._starter.report(self._pod, "Warning", "FailedMount", str(error))
            for slot in self._slots:
                if slot.process is None and "terminated" not in slot.record.state:
                    slot.record.wait("ContainerCreating")
            return _RETRY_SECONDS
        pauses = [self._tend(slot, now) for slot in self._ready_slots()]
        refresh = self._refresh_at - now if self._volumes.changing else None
        return min((pause for pause in (*pauses, refresh, deadline) if pause is not None), default=None)

    def _ready_slots(self) -> list[_Slot]:
        """The slots whose turn it is: the first init container that has not succeeded, else all containers."""
        for slot in self._slots:
            if slot.init and slot.record.exit_code != 0:
                return [slot]
        return [slot for slot in self._slots if not slot.init]

    def _prepare(self, now: float) -> None:
        first = self._refresh_at == 0
        if not first and (now < self._refresh_at or not self._volumes.changing):
            return
        try:
            self._volumes.prepare()
        except PodConfigError:
            if first:
                raise
            # something was deleted under a running Pod: its volumes keep what they showed last
        self._refresh_at = now + _REFRESH_SECONDS
        if first and any(not slot.init and slot.record.exit_code is None for slot in self._slots):
            for slot in self._slots:  # a new sandbox for the Pod: its init containers run (again)
                if slot.init:
                    slot.record.wait("PodInitializing")

    def _tend(self, slot: _Slot, now: float) -> float | None:
        if slot.process is not None:
            return self._watch(slot, now)
        code = slot.record.exit_code
        policy = self._pod["spec"].get("restartPolicy", RESTART_ALWAYS)
        if slot.init and policy == RESTART_ALWAYS:
            policy = RESTART_ON_FAILURE
        if code is not None and not will_restart(policy, code):
            return None
        if now < slot.not_before:
            if code is not None:
                text = f"back-off {slot.backoff_seconds:.0f}s restarting failed container={slot.record.name}"
                slot.record.wait("CrashLoopBackOff", text)
            return slot.not_before - now
        return self._start(slot, now)

    def _start(self, slot: _Slot, now: float) -> float | None:
        record = slot.record
        again = "terminated" in record.state or (record.last_state and "waiting" in record.state)
        restarts = record.restarts + 1 if again else record.restarts
        if "terminated" in record.state:
            record.last_state = record.state
        try:
            slot.process = self._starter.start(
                self._pod,
                slot.spec,
                self._volumes,
                restarts,
                lambda code: self._inbox.put(lambda: self._ended(slot, code)),
            )
        except PodConfigError as error:
            reason = "CreateContainerError" if "exec:" in str(error) else "CreateContainerConfigError"
            if record.state.get("waiting", {}).get("message") != str(error):
                self._starter.report(self._pod, "Warning", "Failed", str(error))
            record.state = {"waiting": {"reason": reason, "message": str(error)}}
            slot.not_before = now + _RETRY_SECONDS
            return _RETRY_SECONDS
        record.restarts = restarts
        record.container_id = f"sandbox://{self._pod['metadata']['uid']}/{record.name}/{restarts}"
        record.state = {"running": {"startedAt": format_time(datetime.now(UTC))}}
        slot.started_at, slot.kill_at = now, None
        kinds = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}
        slot.probes = [Probe.begin(kind, slot.spec[key]) for kind, key in kinds.items() if slot.spec.get(key)]
        self._judge(slot)
        ports = "".join(f", port {declared} is {real}" for declared, real in slot.process.ports.items())
        self._starter.report(self._pod, "Normal", "Started", f"Started container {record.name}{ports}")
        return self._watch(slot, now)

    def _watch(self, slot: _Slot, now: float) -> float | None:
        """Probe a running container; kill one that did not end in time."""
        assert slot.process is not None, "only running containers are watched"
        if slot.kill_at is not None:
            if now >= slot.kill_at:
                slot.process.kill()
                return None
            return slot.kill_at - now
        due = []
        for probe in slot.probes:
            if probe.kind != "startup" and not slot.record.started:
                continue
            if now >= probe.due:
                probe.run(slot.process, slot.spec.get("ports") or [])
                if probe.last_problem:
                    text = f"{probe.kind.capitalize()} probe failed: {probe.last_problem}"
                    self._starter.report(self._pod, "Warning", "Unhealthy", text)
                if self._judge(slot):
                    return self._watch(slot, time.monotonic())
            if not (probe.kind == "startup" and probe.passed):
                due.append(probe.due - now)
        return max(0.0, min(due)) if due else None

    def _judge(self, slot: _Slot) -> bool:
        """Draw the conclusions from the probes; True if the container is to be killed."""
        by_kind = {probe.kind: probe for probe in slot.probes}
        startup, readiness, liveness = (by_kind.get(kind) for kind in ("startup", "readiness", "liveness"))
        record = slot.record
        record.started = startup is None or startup.passed
        if readiness is None or (readiness.passed and record.started):
            record.ready = record.started
        elif readiness.failed or not record.started:
            record.ready = False
        killer = next((probe for probe in (startup, liveness) if probe and probe.failed), None)
        if killer is None or slot.process is None:
            return False
        text = f"Container {record.name} failed {killer.kind} probe, will be restarted"
        self._starter.report(self._pod, "Normal", "Killing", text)
        grace = killer.spec.get(
            "terminationGracePeriodSeconds", self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        )
        slot.kill_at = time.monotonic() + grace
        slot.process.terminate()
        return True

    # ends

    def _ended(self, slot: _Slot, code: int) -> None:
        record, lived = slot.record, time.monotonic() - slot.started_at
        slot.process, slot.kill_at, slot.probes = None, None, []
        started = record.state.get("running", {}).get("startedAt")
        ended: Object = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": started,
            "finishedAt": format_time(datetime.now(UTC)),
            "containerID": record.container_id,
        }
        if message := self._termination_message(slot, code):
            ended["message"] = message
        record.state, record.ready, record.started = {"terminated": ended}, False, False
        if lived > _BACKOFF_FORGET_SECONDS:
            slot.backoff_seconds = 0
        slot.not_before = time.monotonic() + slot.backoff_seconds
        slot.backoff_seconds = min(max(slot.backoff_seconds * 2, _BACKOFF_SECONDS), _BACKOFF_LIMIT_SECONDS)

    def _termination_message(self, slot: _Slot, code: int) -> str:
        path = self._starter.termination_log(self._volumes, slot.record.name)
        text = path.read_bytes()[-_MESSAGE_BYTES:].decode(errors="replace") if path.exists() else ""
        if not text and code and slot.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            log = log_path(self._starter.logs, self._pod, slot.record.name, slot.record.restarts)
            text = tail_text(log, _LOG_MESSAGE_LINES, _LOG_MESSAGE_BYTES)
        return text

    def _notice_deletion(self, now: float) -> None:
        metadata = self._pod["metadata"]
        if "deletionTimestamp" not in metadata or self._vanished or self._stopping:
            return
        grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
        if not self._deleting:
            self._deleting = True
            self._end(grace)
        elif self._kill_at is not None:
            self._kill_at = min(self._kill_at, now + grace)

    def _end_vanished(self) -> None:
        self._vanished = True
        self._end(0)

    def _end(self, grace_seconds: float) -> None:
        self._kill_at = time.monotonic() + grace_seconds
        for slot in self._slots:
            if slot.process:
                slot.process.terminate()

    def _finish(self, now: float) -> float | None:
        """Wait for the end of all containers, then let the Pod go."""
        assert self._kill_at is not None, "only called while the Pod ends"
        running = [slot for slot in self._slots if slot.process]
        if running:
            if now < self._kill_at:
                return self._kill_at - now
            for slot in running:
                if slot.process:
                    slot.process.kill()
            return None
        if self._deleting and not self._vanished:
            self._publish()
            self._starter.delete_now(self._pod)
            self._end_vanished()  # even if finalizers keep the object, nothing is left to do here
        if self._vanished:
            self._volumes.remove()
            self._starter.remove_logs(self._pod)
        return None

    def _until(self, moment: float | None) -> float | None:
        return None if moment is None else max(0.0, moment - time.monotonic())

    # what others see

    def _phase(self) -> str:
        return str(self._status()["phase"])

    def _deadline(self) -> float | None:
        seconds, started = self._pod["spec"].get("activeDeadlineSeconds"), self._published.get("startTime")
        if seconds is None or started is None:
            return None
        return float(seconds - (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds())

    def _status(self) -> Object:
        init = [slot.record for slot in self._slots if slot.init]
        main = [slot.record for slot in self._slots if not slot.init]
        return pod_status(
            {**self._pod, "status": {**self._pod["status"], **self._published}},
            init,
            main,
            node_ip=self._starter.config.node_ip,
            now=datetime.now(UTC),
            failure=self._failure or self._pod["status"].get("reason", ""),
        )

    def _publish(self) -> None:
        if self._stopping or self._vanished:
            return
        status = self._status()
        if status == self._published:
            return
        metadata = self._pod["metadata"]
        self._client.patch_merge(
            POD,
            metadata["name"],
            {"metadata": {"uid": metadata["uid"]}, "status": status},
            metadata["namespace"],
            subresource="status",
        )
        self._published = status
