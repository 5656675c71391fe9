import shlex
import subprocess
import sys

import pytest

from agent.node.ending import UsageError
from agent.node.seed.progress import Progress
from agent.node.seed.request import SeedRequest, parse_request


def test_short_and_long_words_mean_the_same():
    """B.1: the words of the original's `create` and `restore`."""
    long = ["--image", "quay.io/s:1", "--authfile", "/a", "--recert-image", "r", "--skip-recert-validation"]
    short = ["-i", "quay.io/s:1", "-a", "/a", "-e", "r", "--skip-recert-validation"]
    expected = SeedRequest("quay.io/s:1", "/a", "r", recert=False)
    assert parse_request("create", long) == parse_request("restore", short) == expected


def test_defaults_are_those_of_the_original():
    assert parse_request("create", ["-v", "-c", "--image", "docker://quay.io/s:1", "--skip-cleanup"]) == SeedRequest(
        "quay.io/s:1", "/var/lib/kubelet/config.json", "quay.io/edge-infrastructure/recert:v0", cleanup=False
    )


@pytest.mark.parametrize("image", ["", "a b", "a\tb", "a\n"])
def test_image_with_blanks_is_refused(image):
    with pytest.raises(UsageError, match="is not a pull spec"):
        parse_request("create", ["--image", image])


@pytest.mark.parametrize(
    "argv", [["seed"], ["seed", "dance"], ["seed", "create"], ["create", "--nope"], ["restore", "--image"]]
)
def test_wrong_usage_exits_2(argv):
    program = [sys.executable, "-c", "from agent.node.main import main; main()", *argv]
    assert subprocess.run(program, capture_output=True, text=True).returncode == 2


def test_restoration_is_asked_for_what_the_creation_was_asked_for():
    request = SeedRequest("quay.io/s%1:1", "/a", "r", recert=False)
    line = request.restore_command_line()
    assert "%%" in line  # a percent sign means something to systemd
    program, word, *rest = shlex.split(line.replace("%%", "%"))
    assert (program, word) == ("/usr/local/bin/lca-cli", "restore")
    assert parse_request("restore", rest) == request


def test_progress_is_told_every_few_seconds(caplog):
    times = iter([0.0, 1.0, 5.0, 6.0, 10.0])
    progress = Progress("var.tgz", 300 * 1024**2, clock=lambda: next(times))
    with caplog.at_level("INFO"):
        for megabytes in (1, 150, 160, 400):
            progress.tell(megabytes * 1024**2)
    assert caplog.messages == ["var.tgz: 150 MiB packed, about 50 %", "var.tgz: 400 MiB packed, about 99 %"]
