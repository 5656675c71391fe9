"""Where the steps write in the new stateroot, and how they say that they have to be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.ibu.itineraries import StageContext
from agent.kube import errors
from hostops.files import write_atomically
from hostops.ostree import OstreeError
from hostops.rpmostree import DeploymentError
from hostops.runner import CommandError
from seeds.handover import dump_object, fit_file_name, place_in_stateroot
from seeds.identity import IdentityError


class RepeatedError(Exception):
    """A step could not do its work this time; the text is shown to the user, and the work is repeated."""


@contextmanager
def repeated(doing: str) -> Iterator[None]:
    """Put `doing` in front of an error from host, API server or the cluster's objects."""
    try:
        yield
    except errors.Closed:
        raise  # the process ends
    except (OSError, CommandError, DeploymentError, OstreeError, IdentityError, errors.ApiError) as error:
        raise RepeatedError(f"{doing}: {error}") from error


def locate(context: StageContext, path: str) -> Path:
    """Return where `path`, as the new release will see it, can be written now."""
    return context.ports.root.path(place_in_stateroot(context.cr.desired_stateroot, path))


def write_manifest(directory: Path, name: str, manifest: dict[str, Any]) -> None:
    """Write one manifest; whoever applies the folder takes the files by name. Raises OSError."""
    write_atomically(directory / fit_file_name(name), dump_object(manifest))
