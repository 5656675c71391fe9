"""`make demo`: plays the acts in one shell, and takes the sandbox away at the end, however that comes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.demo.acts import ACTS

ROOT = Path(__file__).parents[2]
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

_PRELUDE = """set -u
say() { printf '\\n%s\\n' "$1"; }
show() { printf '$ %s\\n' "$1"; }
"""


def main() -> int:
    """Play everything; the exit code is that of the first scene that did not end as it should, else 0."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="lca-demo-") as folder:
        site = Path(folder) / "site"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LCA_SANDBOX": str(site),
            "KUBECONFIG": str(site / "kubeconfig"),
        }
        try:
            code = subprocess.run(["bash", "-c", "\n".join(write_script())], cwd=ROOT, env=environment).returncode
        finally:
            subprocess.run(["lca", "sandbox", "down", "--purge"], cwd=ROOT, env=environment, check=True)
    print(
        f"\n{BOLD}{'That was all' if code == 0 else 'The demonstration failed'}{PLAIN} "
        f"after {time.monotonic() - began:.0f} s."
    )
    return code


def write_script() -> Iterator[str]:
    """Yield the lines of the shell script that shows and runs every scene."""
    yield _PRELUDE
    for number, (title, scenes) in enumerate(ACTS, 1):
        yield f"say {shlex.quote(f'{BOLD}-- {number}. {title}{PLAIN}')}"
        for scene in scenes:
            if scene.word:
                yield f"say {shlex.quote(f'{DIM}# {scene.word}{PLAIN}')}"
            yield f"show {shlex.quote(scene.command)}"
            yield scene.command
            yield "code=$?"
            yield f"[ $code = {1 if scene.fails else 0} ] || exit $((code ? code : 1))"


if __name__ == "__main__":
    sys.exit(main())
