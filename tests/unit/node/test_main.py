import subprocess
import sys
from pathlib import Path

import pytest

from agent.node import main as node_main
from agent.node.ending import Interrupted, ProgramError, UsageError


def lca_node(*arguments):
    program = [sys.executable, "-c", "from agent.node.main import main; main()", *arguments]
    return subprocess.run(program, capture_output=True, text=True)


def test_help_lists_the_programs_without_importing_them():
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from agent.node.main import main; main(['--help'])"],
        capture_output=True,
        text=True,
    )
    assert listing.returncode == 0
    assert "stateroot-setup" in listing.stdout
    assert not {"pydantic", "kubernetes", "kopf", "sh", "agent.kube"} & set(listing.stderr.replace("|", " ").split())


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["precache", "--unknown"], ["--log-level", "loud", "precache"]])
def test_wrong_usage_exits_2(arguments):
    assert lca_node(*arguments).returncode == 2


GROUP = "if any flags in the group [monitor exec-stop-post] are set none of the others can be; "


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "must specify either --monitor or --exec-stop-post"),
        (["--monitor", "--exec-stop-post", "config"], f"{GROUP}[exec-stop-post monitor] were all set"),
        (["--monitor", "--mode", "other"], "invalid choice: 'other'"),
        (["--monitor", "surplus"], "unrecognized arguments: surplus"),
    ],
)
def test_init_monitor_with_wrong_flags_exits_2_and_says_what_is_wrong(arguments, text):
    result = lca_node("init-monitor", *arguments)
    assert result.returncode == 2
    assert text in result.stderr


def test_post_pivot_with_wrong_flags_exits_2():
    assert lca_node("post-pivot", "--in-a-container").returncode == 2


@pytest.mark.parametrize("mode", [[], ["--mode", "ibu"]])
def test_original_words_are_accepted_before_and_behind_the_program(mode):
    """Where nothing has been prepared the watchdog has nothing to do."""
    result = lca_node("-v", "--no-color", "init-monitor", "--monitor", *mode, "--verbose", "-c")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_programs_of_systemd_need_next_to_no_environment():
    program = [sys.executable, "-c", "from agent.node.main import main; main()", "init-monitor", "--monitor"]
    result = subprocess.run(program, capture_output=True, text=True, env={}, cwd=Path(__file__).parents[3])
    assert (result.returncode, result.stderr) == (0, "")


def test_programs_of_systemd_log_to_standard_output_as_the_original():
    result = lca_node("init-monitor", "--monitor", "--mode", "ipc")
    assert result.returncode == 1
    assert result.stdout.endswith(
        ' level=error msg="mode ipc: this agent does not change addresses of a node, so nothing is watched"\n'
    )
    assert result.stderr == ""


@pytest.mark.parametrize("module", ["agent.node.initmonitor.program", "agent.node.postpivot.program"])
def test_programs_of_systemd_load_the_api_late(module):
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"], capture_output=True, text=True
    )
    assert listing.returncode == 0
    assert not {"pydantic", "kubernetes", "yaml", "urllib3"} & set(listing.stderr.replace("|", " ").split())


def test_failing_program_exits_1_and_says_why_in_its_last_line():
    result = lca_node("precache")
    assert result.returncode == 1
    assert "environment variable PRECACHE_SPEC_FILE is not set" in result.stderr.splitlines()[-1]


def test_stateroot_setup_without_a_cluster_exits_1():
    result = lca_node("stateroot-setup", "--kubeconfig", "/absent/kubeconfig")
    assert result.returncode == 1
    assert "failed to create client for stateroot setup job: " in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("ending", "code"),
    [(None, 0), (ProgramError("x"), 1), (UsageError("x"), 2), (Interrupted(), 130), (ValueError("x"), 1)],
)
def test_every_ending_has_its_exit_code(ending, code):
    def body():
        if ending:
            raise ending

    assert node_main.run_body("program", body) == code
