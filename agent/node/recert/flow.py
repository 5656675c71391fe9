"""One run of recert: etcd up, recert's container, etcd down, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.node.recert.etcd import EtcdError, read_etcd_image, serve_etcd
from agent.node.recert.image import ensure_image
from agent.node.waiting import Clock
from hostops.hostroot import HostRoot
from hostops.podman import Podman, list_proxy_secrets
from hostops.runner import CommandError, Runner

logger = logging.getLogger(__name__)

CONTAINER = "recert"
_MOUNTS = (
    *("/etc:/host-etc", "/etc/ssh:/ssh", "/etc/kubernetes:/kubernetes", "/var/lib/kubelet:/kubelet"),
    *("/var/tmp:/var/tmp", "/etc/machine-config-daemon:/machine-config-daemon", "/etc/pki:/pki"),  # noqa: S108 - the summary is written there
)
_LEFTOVER_SECONDS = 600.0


class RecertError(Exception):
    """recert did not do its work; the text says which part failed and why."""


@dataclass(frozen=True, slots=True)
class RecertRun:
    """What to run. `config_file` is a host path below `/var/tmp` or one of `shared`.

    `shared` are further host folders that the container sees at the same place. `authfile` may be empty. `proxy` is the
    environment for pulling the image, if that has to be done.
    """

    config_file: str
    image: str
    authfile: str
    shared: tuple[str, ...] = ()
    proxy: Mapping[str, str] = field(default_factory=dict, repr=False)


def run_recert(runner: Runner, root: HostRoot, run: RecertRun, clock: Clock) -> None:
    """Let recert do what the configuration file says. Raises RecertError.

    A leftover of an earlier call has to be awaited first (`await_leftover`): this one would replace it.
    """
    is_there = ensure_image(Podman(runner), run.image, run.authfile, run.proxy, clock)
    try:
        with serve_etcd(runner, read_etcd_image(root), run.authfile, clock):
            logger.info("Start running recert")
            proxy = {} if is_there else run.proxy
            runner.run(*make_argv(run, proxy), env=proxy, secrets=list_proxy_secrets(proxy))
    except EtcdError as error:
        raise RecertError(str(error)) from error
    except CommandError as error:
        raise RecertError(f"failed to run recert tool container: {error}") from error


def await_leftover(runner: Runner) -> None:
    """Let a recert end whose caller was killed: its container goes on by itself, and half an edit is worth nothing."""
    try:
        if runner.run("podman", "container", "exists", CONTAINER, ok=(0, 1)).code == 0:
            logger.info("waiting for a recert that an earlier run of this program started")
            runner.run("podman", "wait", CONTAINER, timeout=_LEFTOVER_SECONDS)
    except CommandError as error:
        logger.warning("an earlier recert is replaced: %s", error)


def make_argv(run: RecertRun, proxy: Mapping[str, str]) -> list[str]:
    """Return the command that runs recert's container, which has to pull its image through `proxy` if there is one."""
    words = ["podman", "run", "--rm", "--network=host", "--privileged", "--replace", "--name", CONTAINER]
    # podman hands its own proxy settings on to the container, where etcd would be looked for behind the proxy.
    words += ["--http-proxy=false"] if proxy else []
    for mount in _MOUNTS:
        words += ["-v", mount]
    words += ["-e", f"RECERT_CONFIG={run.config_file}"]
    words += ["--authfile", run.authfile] if run.authfile else []
    for folder in run.shared:
        words += ["-v", f"{folder}:{folder}"]
    return [*words, run.image]
