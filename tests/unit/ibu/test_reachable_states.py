"""All condition sets that an object can come to have, and what must hold in each of them.

The walk starts from objects as users create them and takes every step that a user (through the API server's rules, read
from the YAML, or past an API server that knows no rules), the work, or a reboot can take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.ibu.decide import Decision, Facts, Work, decide
from agent.ibu.fold import fold_event
from agent.ibu.stages import find_current_stage, is_completed, is_in_progress
from agent.pivot.failure import fail_upgrade
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Completed, Ended
from agent.workflow.step import Step
from crds.base import ObjectMeta
from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade, ImageBasedUpgradeSpec, Reason, Stage

Judge = Callable[..., list[tuple[int, str]]]

NOW = datetime(2024, 6, 26, tzinfo=UTC)
STEP = Step("any", lambda _: Done())
RULE_6 = 6


@dataclass(frozen=True)
class Node:
    """An object and where the machine is booted; `before_pivot` is the object that the original release has saved."""

    cr: ImageBasedUpgrade
    after_pivot: bool = False
    before_pivot: ImageBasedUpgrade | None = None

    @property
    def key(self) -> tuple[object, ...]:
        conditions = tuple((c.type, c.status, c.reason) for c in self.cr.status.conditions)
        return conditions, self.cr.spec.stage, self.after_pivot, self.before_pivot is not None

    @property
    def facts(self) -> Facts:
        return Facts(self.after_pivot)

    def decide(self) -> Decision:
        return decide(self.cr, self.facts, NOW)

    def with_cr(self, cr: ImageBasedUpgrade) -> Node:
        return replace(self, cr=cr)

    def want(self, stage: Stage) -> Node:
        return self.with_cr(self.cr.model_copy(update={"spec": ImageBasedUpgradeSpec(stage=stage)}))

    def annotate(self) -> Node:
        metadata = self.cr.metadata.model_copy(update={"annotations": {Annotation.MANUAL_CLEANUP_DONE: ""}})
        return self.with_cr(self.cr.model_copy(update={"metadata": metadata}))

    def pass_over(self) -> Node:
        """The object after a pass that does no work."""
        decision = self.decide()
        metadata = decision.cr.metadata.model_copy(update={"annotations": {}})
        return self.with_cr(decision.cr.model_copy(update={"metadata": metadata}))


def create(stage: Stage | None, *, after_pivot: bool) -> Node:
    spec = ImageBasedUpgradeSpec(stage=stage) if stage else ImageBasedUpgradeSpec()
    return Node(
        ImageBasedUpgrade(metadata=ObjectMeta(name="upgrade", generation=1), spec=spec), after_pivot
    ).pass_over()


def sort_conditions(node: Node) -> list[tuple[str, str, str]]:
    return sorted((c.type, c.status, str(c.reason)) for c in node.cr.status.conditions)


def has_refusal(node: Node) -> bool:
    return any(condition.reason == Reason.INVALID_TRANSITION for condition in node.cr.status.conditions)


PREPARED = "PrepInProgress=F PrepCompleted=T"
UPGRADED = "UpgradeInProgress=F UpgradeCompleted=T"
WORKED_EXAMPLE = {
    "Idle=T",
    "Idle=F PrepInProgress=T",
    "Idle=F PrepCompleted=F PrepInProgress=F",
    "PrepCompleted=F PrepInProgress=F Idle=F",
    f"Idle=F {PREPARED}",
    f"Idle=F {PREPARED} UpgradeInProgress=T",
    f"Idle=F {PREPARED} UpgradeCompleted=F UpgradeInProgress=F",
    f"Idle=F {PREPARED} {UPGRADED}",
    f"Idle=F {PREPARED} UpgradeInProgress=F UpgradeCompleted=F RollbackInProgress=T",
    f"Idle=F {PREPARED} UpgradeCompleted=F UpgradeInProgress=F RollbackInProgress=T",
    f"Idle=F {PREPARED} UpgradeInProgress=F UpgradeCompleted=F RollbackInProgress=F RollbackCompleted=T",
    f"Idle=F {PREPARED} UpgradeInProgress=F UpgradeCompleted=F RollbackCompleted=F RollbackInProgress=F",
    f"{PREPARED} {UPGRADED} Idle=F",
    f"{PREPARED} UpgradeInProgress=F UpgradeCompleted=F RollbackInProgress=F RollbackCompleted=T Idle=F",
}


class Walk:
    """The graph of all reachable nodes; `guarded`: the API server knows the rules."""

    def __init__(self, judge: Judge, *, guarded: bool) -> None:
        self.judge, self.guarded = judge, guarded
        self.verdicts: dict[tuple[object, ...], bool] = {}
        self.nodes: dict[tuple[object, ...], Node] = {}
        self.edges: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
        starts = [create(stage, after_pivot=pivot) for stage in (None, *Stage) for pivot in (False, True)]
        todo = [self.add(node) for node in starts]
        while todo:
            node = self.nodes[todo.pop()]
            for following in self.take_steps(node):
                if following.key not in self.nodes:
                    todo.append(self.add(following))
                self.edges[node.key].add(following.key)

    def add(self, node: Node) -> tuple[object, ...]:
        self.nodes[node.key], self.edges[node.key] = node, set()
        return node.key

    def accepts(self, node: Node, stage: Stage) -> bool:
        """Rule 6 of the YAML; its verdict depends on three values only."""
        old = node.cr.write()
        key = (node.cr.spec.stage, node.cr.status.valid_next_stages, stage, "status" in old)
        if key not in self.verdicts:
            refusals = self.judge(node.want(stage).cr.write(), old)
            self.verdicts[key] = RULE_6 not in [number for number, _ in refusals]
        return self.verdicts[key]

    def take_steps(self, node: Node) -> Iterator[Node]:
        for stage in Stage:
            if not self.guarded or self.accepts(node, stage):
                yield node.want(stage).pass_over()
        yield node.annotate().pass_over()
        if is_completed(node.cr.status.conditions, Stage.IDLE) and node.after_pivot:
            yield replace(node, after_pivot=False).pass_over()  # another version is asked for
        yield from self.do_work(node)
        if node.after_pivot and node.before_pivot:
            failed = fail_upgrade(node.before_pivot, "booted back", NOW)
            yield Node(failed).pass_over()

    def do_work(self, node: Node) -> Iterator[Node]:
        for start in (node, node.annotate()):
            decision = start.decide()
            if decision.work is None:
                continue
            plain = decision.cr.model_copy(update={"metadata": node.cr.metadata})
            for outcome in (Wait("waiting", timedelta(0)), Failed("broken")):
                event = Ended(STEP, outcome, ends_phase=False)
                yield node.with_cr(fold_event(plain, node.facts, event, NOW)).pass_over()
            if decision.work is Work.PRE_PIVOT:
                yield Node(plain, after_pivot=True, before_pivot=plain).pass_over()
            elif decision.work is Work.ROLLBACK:
                yield Node(plain).pass_over()
            else:
                done = node.with_cr(fold_event(plain, node.facts, Completed(), NOW))
                finished = decision.work in (Work.ABORT, Work.FINALIZE)
                yield replace(done, before_pivot=None if finished else node.before_pivot).pass_over()


@pytest.fixture(scope="module", params=[True, False], ids=["server-knows-rules", "server-knows-no-rules"])
def walk(request: pytest.FixtureRequest, judge_ibu: Judge) -> Walk:
    return Walk(judge_ibu, guarded=request.param)


def test_walk_meets_every_row_of_the_worked_example(walk: Walk) -> None:
    """The walk is as large as it should be: every moment of ibu-api.md 2.7 is among its nodes, in the same order."""
    met = {" ".join(f"{c.type}={c.status[0]}" for c in node.cr.status.conditions) for node in walk.nodes.values()}
    assert WORKED_EXAMPLE - met == set()


def test_stage_in_progress_is_unambiguous_and_an_abort_wins(walk: Walk) -> None:
    for node in walk.nodes.values():
        conditions = node.cr.status.conditions
        running = [stage for stage in Stage if is_in_progress(conditions, stage)]
        assert len([stage for stage in running if stage is not Stage.IDLE]) <= 1
        if Stage.IDLE in running:
            assert find_current_stage(conditions) is Stage.IDLE
            assert node.decide().work in (Work.ABORT, Work.FINALIZE, None)


def test_accepted_stage_starts_something(walk: Walk) -> None:
    for node in walk.nodes.values():
        for stage in map(Stage, node.cr.status.valid_next_stages):
            if stage is node.cr.spec.stage:
                continue
            decision = node.want(stage).decide()
            conditions = decision.cr.status.conditions
            idle = stage is Stage.IDLE and is_completed(conditions, Stage.IDLE)
            assert idle or (find_current_stage(conditions) is stage and decision.work), (node.key, stage)


def test_every_state_has_a_way_back_to_idle(walk: Walk) -> None:
    home = {key for key, node in walk.nodes.items() if is_completed(node.cr.status.conditions, Stage.IDLE)}
    while more := {key for key, following in walk.edges.items() if key not in home and following & home}:
        home |= more
    assert walk.nodes.keys() - home == set()


def test_rule_6_and_valid_next_stages_agree(walk: Walk) -> None:
    for node in walk.nodes.values():
        for stage in Stage:
            allowed = stage in node.cr.status.valid_next_stages or stage is node.cr.spec.stage
            assert walk.accepts(node, stage) is allowed, (node.key, stage)


def test_second_pass_without_change_changes_nothing(walk: Walk) -> None:
    for node in walk.nodes.values():
        once = node.pass_over()
        assert once.cr.write() == node.cr.write()


def test_refused_stage_does_not_disturb_what_runs(walk: Walk) -> None:
    for node in walk.nodes.values():
        for stage in Stage:
            if stage in node.cr.status.valid_next_stages:
                continue
            decision = node.want(stage).decide()
            assert find_current_stage(decision.cr.status.conditions) is find_current_stage(node.cr.status.conditions)
            assert decision.work is node.decide().work


def test_refused_stage_leaves_no_trace_when_taken_back(walk: Walk) -> None:
    for node in walk.nodes.values():
        before = node.cr.spec.stage
        for stage in Stage:
            if before is None or has_refusal(node) or stage in node.cr.status.valid_next_stages:
                continue
            back = node.want(stage).pass_over().want(before).pass_over()
            assert sort_conditions(back) == sort_conditions(node), (node.key, stage)
