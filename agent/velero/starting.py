"""Creates Backups and Restores, and tells what may pass from what never will."""

from __future__ import annotations

from agent.kube import Client, Object, errors
from agent.velero.content import get_name
from agent.velero.failures import Failure


class StartError(Exception):
    """An object could not be created now; the pass is to be repeated."""


class RefusedError(Exception):
    """The API server takes an object for invalid, and always will."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def start(client: Client, obj: Object) -> Object:
    """Create a Backup or Restore, which starts it. Raises StartError and RefusedError."""
    try:
        return client.create(obj)
    except errors.Closed:
        raise
    except errors.Invalid as error:
        detail = f"refused by the API server: {error}"
        raise RefusedError(Failure(get_name(obj), detail, "spec.oadpContent")) from error
    except errors.ApiError as error:
        raise StartError(f"failed to create {str(obj['kind']).lower()}: {error}") from error
