"""What policies and the hub's actions say of a stream of versions of the resource, from the first to the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.gitops.policy import Object, Policy
from tests.gitops.work_agent import ACTIONS, is_done


@dataclass(frozen=True)
class Moment:
    """A version at which something changed: what is compliant from now on, which actions count as done.

    `stage` and `last` (type=status of the last condition) tell where the upgrade was.
    """

    stage: str
    last: str
    compliant: frozenset[str]
    done: frozenset[str]


def follow_compliance(policies: Mapping[str, Policy], versions: Iterable[Object]) -> list[Moment]:
    """The first version, and each at which a policy or an action became compliant or done, or no longer was."""
    moments: list[Moment] = []
    for version in versions:
        conditions = (version.get("status") or {}).get("conditions") or ()
        moment = Moment(
            stage=(version.get("spec") or {}).get("stage", ""),
            last=f"{conditions[-1]['type']}={conditions[-1]['status']}" if conditions else "",
            compliant=frozenset(name for name, policy in policies.items() if policy.is_compliant(version)),
            done=frozenset(action for action in ACTIONS if is_done(version, action)),
        )
        if not moments or (moment.compliant, moment.done) != (moments[-1].compliant, moments[-1].done):
            moments.append(moment)
    return moments
