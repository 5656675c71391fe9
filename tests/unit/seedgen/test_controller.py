"""An idle operator stays small: nothing of the work is imported before there is any."""

import subprocess
import sys

CODE = """
import sys
import agent.seedgen.controller
loaded = [name for name in sys.modules if name.startswith(("agent.seedgen.", "seeds.creation.", "pydantic", "crds."))]
sys.exit(" ".join(sorted(loaded)))
"""
NEEDED = "agent.seedgen.controller agent.seedgen.kind seeds.creation.workspace"


def test_controller_imports_nothing_of_the_work():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.stderr.strip() == NEEDED
