"""What a step of seed generation gets, and how its failures become outcomes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.kube import errors
from agent.seedgen.journal import Journal, Journals
from agent.seedgen.ports import Ports
from agent.seedgen.resource import LiveGenerator
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.step import Step
from crds.seedgenerator import SeedGenerator
from hostops.podman import PodmanError
from hostops.runner import CommandError

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=5)


@dataclass
class Context:
    """`journal` is None in the validation only. `now` is the time, in UTC."""

    ports: Ports
    resource: LiveGenerator
    journals: Journals
    journal: Journal | None
    now: Callable[[], datetime]

    @property
    def cr(self) -> SeedGenerator:
        """The custom resource; only where it has to be there."""
        assert self.resource.cr is not None, "there is no object"
        return self.resource.cr

    @property
    def generation(self) -> Journal:
        """The journal; only where there has to be one."""
        assert self.journal is not None, "there is no journal"
        return self.journal

    def note(self, **changes: object) -> None:
        """Write changes of the journal down."""
        changed = replace(self.generation, **changes)  # type: ignore[arg-type]
        if changed != self.journal:
            self.journals.write(changed)
            self.journal = changed

    def wait_at_most(self, step: str, limit: timedelta, message: str, late: str) -> Wait | Failed:
        """Wait on, or fail with `late` when `step` has waited for longer than `limit`, also in earlier processes."""
        changed, since = self.generation.since(step, self.now())
        self.note(waits=changed.waits)
        return Failed(late) if self.now() - since > limit else Wait(message, POLL)


def make_step(action: Callable[[Context], Outcome | None], announce: str = "", *, failing: str = "") -> Step[Context]:
    """Make a step named after `action`, which returns None when it is done.

    With `failing` an error that no repetition mends fails the generation with that text in front; without it every
    error is raised, so that the step is repeated until it works.
    """

    def run(context: Context) -> Outcome:
        try:
            return action(context) or Done()
        except errors.Transient:
            raise
        except (errors.ApiError, CommandError, PodmanError, OSError) as error:
            if not failing or isinstance(error, errors.Conflict):
                raise
            logger.warning("%s: %s", action.__name__, error)
            return Failed(f"{failing}: {error}")

    return Step(action.__name__, run, announce=announce)
