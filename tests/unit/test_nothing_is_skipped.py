"""The rule of tests/conftest.py, shown by small test runs of their own."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SKIPS = {
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no moon')\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no moon')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef moon(): pytest.skip('no moon')\ndef test_it(moon): pass\n",
    "module": "import pytest\npytest.skip('no moon', allow_module_level=True)\n",
    "import": "import pytest\npytest.importorskip('moon', reason='no moon')\n",
}


EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run over a file for each way says."""
    folder = tmp_path_factory.mktemp("run")
    for way, content in {**SKIPS, "xfail": EXPECTED_FAILURE}.items():
        (folder / f"test_{way}.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", str(folder), "-rA", str(folder)]
    options = ["--continue-on-collection-errors"]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stdout.replace("Skipped: ", "")


@pytest.mark.parametrize("way", SKIPS)
def test_skip_fails_the_run_with_its_reason(report: str, way: str) -> None:
    assert re.search(rf"test_{way}.py\S*: skipped, which this project counts as a failure: no moon", report)


def test_expected_failure_is_no_skip(report: str) -> None:
    assert "1 xfailed" in report
    assert " skipped" not in report.splitlines()[-1]
