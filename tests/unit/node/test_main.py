import subprocess
import sys

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
