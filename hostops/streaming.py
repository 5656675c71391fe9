"""Commands whose output is worked on while they run: nothing of it is kept in between."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from hostops.runner import Result, Runner

_PIPE_BYTES = 1024**2


def stream_command(
    runner: Runner,
    argv: Sequence[str],
    consume: Callable[[BinaryIO], None],
    *,
    input: str = "",  # noqa: A002 - as in Runner.run
    ok: Sequence[int] = (0,),
) -> Result:
    """Run `argv` and let `consume` read its standard output to the end; `output` of the result is standard error.

    What `consume` raises ends the command and is raised here. Raises CommandError; what was consumed is then worthless.
    """
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    with os.fdopen(reader, "rb", buffering=0) as source, ThreadPoolExecutor(1) as pool:
        running = pool.submit(_run, runner, argv, writer, input, ok)
        try:
            consume(source)
        except BaseException:
            source.close()  # nobody reads any more: the command ends
            running.exception()
            raise
        return running.result()


def _run(runner: Runner, argv: Sequence[str], writer: int, text: str, ok: Sequence[int]) -> Result:
    with os.fdopen(writer, "wb", buffering=0) as sink:
        return runner.run(*argv, input=text, ok=ok, stdout=sink)
