"""The `lca` entry point: exit codes and help without heavy imports."""

import subprocess
import sys

import pytest

from agent.cli.main import main


def test_help_exits_0_and_names_the_product(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["--help"])
    assert ending.value.code in (0, None)
    assert "single-node OpenShift" in capsys.readouterr().out


def test_unknown_command_exits_2() -> None:
    with pytest.raises(SystemExit) as ending:
        main(["no-such-command"])
    assert ending.value.code == 2


def test_help_imports_neither_kopf_nor_kubernetes() -> None:
    code = (
        "import sys; from agent.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "sys.exit(bool({'kopf', 'kubernetes', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_operator_makes_the_resource_before_slow_imports() -> None:
    slow = ("aiohttp", "asyncio", "crds", "kopf", "pydantic", "rich")
    code = f"import sys, agent.cli.operator; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
