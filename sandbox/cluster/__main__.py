"""`python -m sandbox.cluster --config FILE`: run the cluster of one node until SIGTERM.

Exit codes: 0 stopped as asked, 1 the cluster could not start or died, 2 unusable configuration.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from agent.kube import errors
from sandbox.cluster.cluster import Cluster
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.first_boot import ContentError
from sandbox.controlplane import ControlPlaneError

_log = logging.getLogger("sandbox.cluster")


class _Stop(BaseException):
    """Somebody asked us to end; raised in the main thread, wherever it is."""


def main(argv: list[str] | None = None) -> int:
    """Run the cluster; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.cluster", description="Run the cluster of one sandbox node."
    )
    parser.add_argument("--config", type=Path, required=True, help="ClusterConfig as JSON")
    path = parser.parse_args(argv).config
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # what it warns of, the API client handles
    try:
        config = ClusterConfig.read(path)
    except (OSError, ValidationError) as error:
        _log.critical("configuration %s: %s", path, error)
        return 2
    return _run(Cluster(config))


def _run(cluster: Cluster) -> int:
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ask_to_stop)
        cluster.start()
        _wait_for_death(cluster.control_plane.pids.values())
        cluster.control_plane.raise_if_dead()
    except _Stop as stop:
        _log.info("stopping because of %s", stop)
        return 0
    except (ControlPlaneError, ContentError, errors.ApiError) as error:
        _log.critical("%s", error)
    finally:
        cluster.stop()
    return 1


def _ask_to_stop(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    # No logging here: the signal may have interrupted a log call, which is not reentrant.
    raise _Stop(signal.Signals(number).name)


def _wait_for_death(pids: Iterable[int]) -> None:
    """Return when the first of the processes has ended."""
    poller = select.poll()
    for pid in pids:
        poller.register(os.pidfd_open(pid), select.POLLIN)
    poller.poll()


if __name__ == "__main__":
    sys.exit(main())
