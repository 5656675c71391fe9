"""Checks the manifests of `spec.extraManifests` by dry runs on the cluster (prep.md 4.4.3).

Most users have dozens, which takes one go. A trial that takes longer is interrupted, and its state lies in the
workspace until the next pass goes on with it; it starts over when one of the ConfigMaps has changed meanwhile.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.ibu.itineraries import StageContext
from agent.ibu.manifests.config_maps import read_extra_manifests
from agent.ibu.ports import WORKSPACE
from agent.ibu.prep.findings import BoundedTexts, Findings
from agent.ibu.prep.trial import NAMESPACE, TrialState, advance_trial, plan_trial
from agent.kube.manifests import WaveError, group_by_wave
from hostops.files import read_json, remove_durably, write_json

log = logging.getLogger(__name__)

STATE_FILE = f"{WORKSPACE}/manifest_trial.json"
SECONDS_IN_ONE_GO = 10.0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The trial goes on in the next pass: so many of so many objects have been tried."""

    tried: int
    total: int


def check_extra_manifests(context: StageContext, seconds: float = SECONDS_IN_ONE_GO) -> Findings | Unfinished:
    """Return problems that stop Prep and warnings about what the cluster would refuse as it is now.

    Nothing is created, also no namespace: objects for a namespace that is only in the manifests are tried in `default`.
    The workspace must exist. Raises transient ApiErrors and OSError.
    """
    found = read_extra_manifests(context.ports.client, context.cr.spec.extra_manifests)
    findings = Findings([*found.unavailable, *found.undecodable], found.ignored)
    try:
        ordered = [obj for group in group_by_wave(found.objects) for obj in group]
    except WaveError as error:
        return Findings([*findings.problems, f"failed to sort and group manifests: {error}"])
    state_file = _StateFile(context.ports.root.path(STATE_FILE), found.sources)
    state = state_file.read()
    with context.ports.connect_admin() as admin:
        plan = list(plan_trial(ordered, (ns["metadata"]["name"] for ns in admin.list(NAMESPACE))))
        complete = False
        try:
            complete = advance_trial(admin, plan, state, seconds)
        finally:
            if complete:
                state_file.remove()
            else:
                state_file.write(state)
    if not complete:
        return Unfinished(state.tried, len(plan))
    findings.problems += state.problems.list_with_rest()
    findings.warnings += state.warnings.list_with_rest()
    return findings


class _StateFile:
    """The state of an interrupted trial of some ConfigMaps."""

    def __init__(self, path: Path, sources: list[list[str]]) -> None:
        self._path = path
        self._source = sources

    def read(self) -> TrialState:
        """Return the state to go on with; a fresh one when there is none, or none of these ConfigMaps."""
        try:
            stored = read_json(self._path)
            if stored["source"] == self._source:
                problems, warnings = BoundedTexts(**stored["problems"]), BoundedTexts(**stored["warnings"])
                return TrialState(int(stored["tried"]), problems, warnings)
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError) as error:
            log.warning("the trial of the extra manifests starts over", extra={"reason": str(error)})
        return TrialState()

    def write(self, state: TrialState) -> None:
        write_json(self._path, {"source": self._source, **asdict(state)}, durable=False)

    def remove(self) -> None:
        remove_durably(self._path)
