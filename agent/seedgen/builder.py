"""The builder: a transient unit that runs a container of our own image on the host (seed-image-and-gitops.md A.7, A.8).

It outlives the operator, whose Pod it ends. Whatever ends the unit starts the restoration that the builder has
installed on the host, if the builder has not done it itself.
"""

from __future__ import annotations

from agent.kube import Client, Kind
from agent.seedgen import messages
from agent.seedgen.context import POLL, Context
from agent.seedgen.journal import Phase
from agent.seedgen.ports import Ports
from agent.workflow.outcome import Failed, Outcome, Wait
from hostops.podman import Podman, PodmanError
from hostops.runner import CommandError, Runner
from hostops.systemd import Systemd
from seeds.creation.workspace import AUTH_FILE, BUILDER_CONTAINER, BUILDER_UNIT, ERROR_FILE
from seeds.units import RESTORE_UNIT

POD = Kind("", "v1", "Pod")
_CONTAINER = "manager"
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_LIMITS = ("RuntimeMaxSec=2h", "TimeoutStopSec=30min")
_SETTLED = ("inactive", "failed")
_DETAIL_LIMIT = 2000


class OwnImageError(Exception):
    """The operator does not know which image it runs from."""


def find_own_image(client: Client, namespace: str, pod_name: str) -> str:
    """Return the image of the operator's container. Raises OwnImageError, transient ApiErrors."""
    pod = client.find(POD, pod_name, namespace) if pod_name else None
    if pod is None:
        raise OwnImageError(
            f"failed to get pod info: there is no Pod {namespace}/{pod_name or '(MY_POD_NAME is unset)'}"
        )
    for container in pod["spec"]["containers"]:
        if container["name"] == _CONTAINER:
            return str(container["image"])
    raise OwnImageError("unable to determine LCA image")


def is_builder_running(runner: Runner) -> bool:
    """Whether the builder, or the restoration after it, is at work. Raises CommandError."""
    systemd = Systemd(runner)
    units = (f"{BUILDER_UNIT}.service", RESTORE_UNIT)
    return any(systemd.active_state(unit) not in _SETTLED for unit in units)


def make_builder_argv(*, image: str, seed_image: str, recert_image: str, skip_recert: bool) -> tuple[str, ...]:
    """Return the command that starts the builder and returns at once."""
    # A stopped container stays: its exit code is the result. Its monitor must not be killed before it notes that.
    properties = ("ExitType=cgroup", *_LIMITS, f"ExecStopPost=-/usr/bin/env systemctl start {RESTORE_UNIT}")
    unit = ["systemd-run", "--collect"]
    for value in properties:
        unit += ["--property", value]
    unit += ["--unit", BUILDER_UNIT]
    for name in _PROXY_VARIABLES:
        unit += ["--setenv", name]
    container = ["podman", "run", "--privileged", "--pid=host", f"--name={BUILDER_CONTAINER}", "--replace"]
    container += ["--net=host", "--http-proxy=true"]
    for mount in ("/etc", "/var", "/var/run", "/run/systemd/journal/socket", AUTH_FILE):
        container += ["-v", f"{mount}:{mount}"]
    words = ["create", "--authfile", AUTH_FILE, "--image", seed_image, "--recert-image", recert_image]
    words += ["--skip-recert-validation"] if skip_recert else []
    return (*unit, *container, "--entrypoint", "lca-cli", image, *words)


def launch_builder(context: Context) -> Outcome | None:
    """Start the builder; it takes the cluster down, and this process with it."""
    ports, generation = context.ports, context.generation
    argv = make_builder_argv(
        image=generation.builder_image,
        seed_image=generation.seed_image,
        recert_image=generation.recert_image,
        skip_recert=ports.skip_recert,
    )
    context.note(phase=Phase.BUILDING)
    try:
        ports.runner.run(*argv)
    except CommandError as error:
        return Failed(f"imager failed: failed to run imager container: {error}")
    return None


def await_builder(context: Context) -> Outcome | None:
    """Wait as long as the builder runs: what is in the cluster now may be in the image."""
    return Wait(messages.LAUNCHING, POLL) if is_builder_running(context.ports.runner) else None


def remove_old_builder(context: Context) -> None:
    """Remove the container of an earlier generation."""
    Podman(context.ports.runner).remove_container(BUILDER_CONTAINER)


def find_builder_problem(ports: Ports) -> str | None:
    """Return why the builder failed, None if it did not."""
    try:
        state = Podman(ports.runner).find_container(BUILDER_CONTAINER)
    except CommandError as error:
        return f"failed to run podman inspect command: {error}"
    except PodmanError as error:
        return str(error)
    if state is None:
        return f"there is no container {BUILDER_CONTAINER}; see journalctl -u {BUILDER_UNIT}"
    if state.status != "exited":
        return f"expected container status exited, found: {state.status}{_read_reason(ports)}"
    if state.exit_code:
        return f"expected container exit code 0, found: {state.exit_code}{_read_reason(ports)}"
    return None


def _read_reason(ports: Ports) -> str:
    path = ports.root.path(ERROR_FILE)
    reason = path.read_text(errors="replace").strip()[:_DETAIL_LIMIT] if path.exists() else ""
    return f": {reason}" if reason else f"; see podman logs {BUILDER_CONTAINER}"
