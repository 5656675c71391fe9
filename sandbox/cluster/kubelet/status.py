"""The status of a Pod, computed from what its containers do (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from agent.kube import Object

RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER = "Always", "OnFailure", "Never"
_LOST = "The container could not be located when the node came back"


@dataclass
class ContainerRecord:
    """What is known about one container of a Pod; `state` and `last_state` as in the API."""

    name: str
    image: str
    state: Object = field(default_factory=dict)
    last_state: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """Exit code of a container that has ended; None otherwise."""
        return self.state["terminated"]["exitCode"] if "terminated" in self.state else None

    def wait(self, reason: str, message: str = "") -> None:
        """It does not run, for this reason; how it ended before is remembered."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def as_status(self) -> Object:
        """The entry of `containerStatuses`."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "containerID": self.container_id,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
            "state": self.state,
            "lastState": self.last_state,
        }


def resume_record(container: Object, status: Object | None, now: datetime) -> ContainerRecord:
    """The record of a container that an earlier run of the node has reported; what it says to run is gone."""
    record = ContainerRecord(container["name"], container.get("image", ""))
    if status is None:
        record.wait("ContainerCreating")
        return record
    record.restarts, record.last_state = status.get("restartCount", 0), status.get("lastState") or {}
    record.state, record.container_id = status.get("state") or {}, status.get("containerID", "")
    if running := record.state.get("running"):
        ended = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": _LOST}
        record.state = {"terminated": {**ended, "startedAt": running.get("startedAt"), "finishedAt": format_time(now)}}
    if not record.state:
        record.wait("ContainerCreating")
    return record


def will_restart(policy: str, exit_code: int) -> bool:
    """Whether a container that ended so is started again."""
    return policy == RESTART_ALWAYS or (policy == RESTART_ON_FAILURE and exit_code != 0)


def pod_phase(pod: Object, init: list[ContainerRecord], main: list[ContainerRecord], failure: str = "") -> str:
    """Phase of the Pod; `failure` is the reason of a Pod that was ended for good (DeadlineExceeded)."""
    policy = pod["spec"].get("restartPolicy", RESTART_ALWAYS)
    if any(record.running for record in (*init, *main)):
        return "Pending" if any(record.running for record in init) else "Running"
    if failure:
        return "Failed"
    init_policy = RESTART_ON_FAILURE if policy == RESTART_ALWAYS else policy
    for record in init:
        if record.exit_code is None:
            return "Pending"
        if record.exit_code:
            return "Pending" if will_restart(init_policy, record.exit_code) else "Failed"
    codes = [record.exit_code for record in main]
    if any(code is None or will_restart(policy, code) for code in codes):
        begun = any(record.restarts or record.exit_code is not None for record in main)
        return "Running" if begun else "Pending"
    return "Failed" if any(codes) else "Succeeded"


def pod_conditions(
    pod: Object, init: list[ContainerRecord], main: list[ContainerRecord], phase: str, now: str
) -> list[Object]:
    """The Pod's conditions; the time of each changes only with its status."""
    over = phase in ("Succeeded", "Failed")
    initialized = all(record.exit_code == 0 for record in init) or phase == "Succeeded"
    unready = [record.name for record in main if not record.ready]
    reason = {"reason": "PodCompleted"} if phase == "Succeeded" else {"reason": "ContainersNotReady"}
    if unready and not over:
        reason["message"] = f"containers with unready status: [{' '.join(unready)}]"
    wanted: list[tuple[str, bool, Object]] = [
        ("Initialized", initialized, {} if initialized else {"reason": "ContainersNotInitialized"}),
        ("Ready", not unready and not over, reason),
        ("ContainersReady", not unready and not over, reason),
        ("PodScheduled", True, {}),
    ]
    before = {condition["type"]: condition for condition in pod["status"].get("conditions") or []}
    conditions = []
    for kind, is_true, details in wanted:
        status = "True" if is_true else "False"
        same = before.get(kind, {}).get("status") == status
        since = before[kind].get("lastTransitionTime") if same else now
        conditions.append({"type": kind, "status": status, "lastTransitionTime": since, **({} if is_true else details)})
    return conditions


def pod_status(
    pod: Object,
    init: list[ContainerRecord],
    main: list[ContainerRecord],
    *,
    node_ip: str,
    now: datetime,
    failure: str = "",
) -> Object:
    """The whole status of a Pod."""
    stamp = format_time(now)
    phase = pod_phase(pod, init, main, failure)
    status: Object = {
        "phase": phase,
        "hostIP": node_ip,
        "podIP": node_ip,
        "podIPs": [{"ip": node_ip}],
        "startTime": pod["status"].get("startTime") or stamp,
        "conditions": pod_conditions(pod, init, main, phase, stamp),
        "containerStatuses": [record.as_status() for record in main],
    }
    if init:
        status["initContainerStatuses"] = [record.as_status() for record in init]
    if failure:
        status["reason"] = failure
    return status


def format_time(moment: datetime) -> str:
    """A time as the API writes it: UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
