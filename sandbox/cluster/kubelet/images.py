"""What runs for an image: images are not unpacked, so a container needs a command, or an image known here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sandbox.cluster.kubelet.downward import PodConfigError

_PAUSE = ["/usr/bin/sleep", "infinity"]
_ENTRYPOINTS = ((re.compile(r"/openshift-release-dev/ocp-(release|v4\.0-art-dev)\b"), _PAUSE),)
"""Images whose program does nothing in a sandbox because a stand-in does its work; their arguments are not used."""


def entrypoint(image: str) -> list[str] | None:
    """The program that stands for the entry point of an image; None if there is none."""
    return next((program for pattern, program in _ENTRYPOINTS if pattern.search(image)), None)


def check_program(command: list[str], environment: Mapping[str, str], targets: list[str]) -> None:
    """Raise PodConfigError if the program of `command` can not be there; `targets` are the container's mount points.

    Only what all containers share can be looked at from outside: bare names on PATH, and `/usr` with its links.
    """
    program = command[0]
    folders = environment.get("PATH", "").split(":")
    if any(target == "/" or program.startswith(target.rstrip("/") + "/") for target in targets):
        return
    if "/" not in program and not any(Path(folder, program).exists() for folder in folders):
        raise PodConfigError(f'exec: "{program}": executable file not found in $PATH ({":".join(folders)}); {_HINT}')
    if program.startswith(("/usr/", "/bin/", "/sbin/", "/opt/")) and not Path(program).exists():
        raise PodConfigError(f'exec: "{program}": no such file or directory; {_HINT}')


_HINT = "a sandbox does not unpack images, it runs the programs of the node and of this project"
