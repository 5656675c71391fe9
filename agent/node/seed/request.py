"""What the builder is asked for, and the command line that asks for it (seed-image-and-gitops.md B.1)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.node.commandline import make_parser, parse_options
from agent.node.ending import UsageError
from agent.node.seed.places import NODE_AUTH_FILE, PROGRAM
from hostops.runner import HostRunner
from hostops.scopes import DIRECT, NSENTER

DEFAULT_RECERT_IMAGE = "quay.io/edge-infrastructure/recert:v0"


@dataclass(frozen=True, slots=True)
class SeedRequest:
    """`image` is the pull spec to push to. Without `recert` the certificates stay as they are; without `cleanup` the
    cluster stays down."""

    image: str
    authfile: str = NODE_AUTH_FILE
    recert_image: str = DEFAULT_RECERT_IMAGE
    recert: bool = True
    cleanup: bool = True

    def restore_argv(self, program: str = PROGRAM) -> tuple[str, ...]:
        """Return the command that brings back the cluster which this request takes down."""
        words = [program, "restore", "--image", self.image, "--authfile", self.authfile]
        words += ["--recert-image", self.recert_image]
        return (*words, *(() if self.recert else ("--skip-recert-validation",)))

    def restore_command_line(self) -> str:
        """Return `restore_argv` as systemd's ExecStart wants it."""
        return shlex.join(self.restore_argv()).replace("%", "%%")


def parse_request(program: str, argv: Sequence[str]) -> SeedRequest:
    """Read the command line of `seed create` or `seed restore`. Raises UsageError, or SystemExit as argparse does."""
    parser = make_parser(f"seed {program}", None)
    parser.add_argument("-i", "--image", required=True, help="pull spec of the seed image")
    parser.add_argument("-a", "--authfile", default=NODE_AUTH_FILE, help="credentials (default: %(default)s)")
    parser.add_argument("-e", "--recert-image", default=DEFAULT_RECERT_IMAGE, help="default: %(default)s")
    parser.add_argument("--skip-recert-validation", action="store_true", help="leave the certificates as they are")
    parser.add_argument("--skip-cleanup", action="store_true", help="leave the cluster down (create only)")
    options = parse_options(parser, argv)
    for name, value in (("--image", options.image), ("--recert-image", options.recert_image)):
        if not value or any(character.isspace() for character in value):
            raise UsageError(f"{name} {value!r} is not a pull spec")
    return SeedRequest(
        image=options.image.removeprefix("docker://"),
        authfile=options.authfile,
        recert_image=options.recert_image,
        recert=not options.skip_recert_validation,
        cleanup=not options.skip_cleanup,
    )


def open_host() -> HostRunner:
    """Return what runs commands on the host: directly there, else (in a container) in the namespaces of its init."""
    own, init = (Path(f"/proc/{process}/ns/mnt").readlink() for process in ("self", "1"))
    return HostRunner(DIRECT if own == init else NSENTER)
