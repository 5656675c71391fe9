"""`python -m tools.recorded_runs DIR [ID...]`: perform recorded runs on our operator and show what differs."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

from agent.kube.errors import ApiError
from tools.recorded_runs.accepted import read_accepted
from tools.recorded_runs.actions import UnknownActionError
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.compact import write_runs
from tools.recorded_runs.compare import compare
from tools.recorded_runs.programs import PROGRAMS, ProgramReplay
from tools.recorded_runs.replay import Replay
from tools.recorded_runs.scenario import Scenario, load_yaml, read_recording


def main() -> int:
    """Command line; returns 1 when something differs that nobody accepted."""
    parser = argparse.ArgumentParser(prog="python -m tools.recorded_runs", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with fixtures.yaml and the recordings")
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids or patterns (prep-*); default: all")
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="perform nothing; write the runs there in few lines"
    )
    parser.add_argument("--show-log", action="store_true", help="show the operator's log of runs that differ")
    options = parser.parse_args()
    scenarios = choose(options.folder, options.ids)
    if options.write:
        write_groups(options.write, scenarios)
        return 0
    fixtures = load_yaml(options.folder / "fixtures.yaml")["objects"]
    differing = 0
    with (
        tempfile.TemporaryDirectory(prefix="recorded-runs-") as folder,
        RecordedCluster.start(Path(folder, "cluster"), fixtures) as cluster,
    ):
        for scenario in sorted(scenarios, key=lambda scenario: sorted(scenario.extra_crds)):
            differing += perform(scenario, cluster, Path(folder, scenario.id), show_log=options.show_log)
    return 1 if differing else 0


def perform(scenario: Scenario, cluster: RecordedCluster, folder: Path, *, show_log: bool) -> bool:
    """Perform a run and print what differs; return whether anything does."""
    if where := find_elsewhere(scenario):
        print(f"elsewhere {scenario.id}: {where}")
        return False
    started, accepted, log = time.monotonic(), read_accepted(scenario), ""
    try:
        if scenario.command:
            with ProgramReplay(scenario, cluster, folder) as program:
                found = list(map(str, program.compare(accepted)))
                log = program.log
        else:
            with Replay(scenario, cluster, folder) as replay:
                found = list(map(str, compare(scenario, accepted, replay.run(accepted))))
                log = replay.operator.show_log()
    except (UnknownActionError, ApiError, TimeoutError, AssertionError) as error:
        found = [f"can not be performed: {type(error).__name__}: {error}"]
    seconds = time.monotonic() - started
    print(f"{'DIFFERS' if found else 'same   '} {scenario.id} ({seconds:.1f} s) {scenario.title}")
    for text in found:
        print(textwrap.indent(text, "  "))
    if found and show_log:
        print(textwrap.indent(log, "    "))
    sys.stdout.flush()
    return bool(found)


def find_elsewhere(scenario: Scenario) -> str:
    """Why a run can not be performed here, and where runs like it are; "" for all others."""
    if scenario.command and scenario.command[1] not in PROGRAMS:
        return "needs images and a registry, see tests/host/test_recorded_programs.py"
    if scenario.id.startswith("e2e-"):
        return "its Jobs really ran, see tests/flow/prep/test_recorded_run.py"
    return ""


def write_groups(folder: Path, scenarios: Sequence[Scenario]) -> None:
    """Write runs, one file for each group: what stands before the first dash of the ids."""
    groups: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        groups.setdefault(scenario.id.partition("-")[0], []).append(scenario)
    for group, members in groups.items():
        write_runs(folder / f"{group}.yaml", members)


def choose(folder: Path, patterns: Sequence[str]) -> list[Scenario]:
    """Read the recordings whose ids match one of the patterns; all without patterns."""
    found = [path for path in sorted(folder.glob("*.yaml")) if path.stem != "fixtures"]
    return [
        read_recording(path)
        for path in found
        if not patterns or any(fnmatch.fnmatch(path.stem, pattern) for pattern in patterns)
    ]


if __name__ == "__main__":
    sys.exit(main())
