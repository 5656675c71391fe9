"""The one door to host commands: argv lists, merged output, time-outs, masked secrets.

Only this module knows the `sh` library. Standard input and outputs are files without a name, not pipes: output keeps
the order in which it was written, no thread copies it, and a grandchild that lives on cannot hold the call up.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import sh

from hostops.scopes import DIRECT, Scope

logger = logging.getLogger(__name__)
# sh logs complete argv lists, secrets included.
logging.getLogger("sh").setLevel(logging.WARNING)

NOT_FOUND = 127
"""Code of a command whose program does not exist, as in shells."""

ERROR_OUTPUT_LIMIT = 16 * 1024
"""Characters of output kept in an error; the middle is left out."""

TIMED_OUT = "timed out after"
"""Beginning of the ending of a command that took too long."""

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl  # looked up here: a forked child must not take locks


@dataclass(frozen=True, slots=True)
class Result:
    """A finished command: `output` is its text without surrounding white space, `code` its exit code."""

    argv: tuple[str, ...]
    code: int
    output: str
    seconds: float


class CommandError(Exception):
    """A command that ended with an unaccepted code, by a signal, by its time-out, or did not start.

    The text is the captured output as it was written, `: ` and how it ended, e.g. `...: exit status 1` (prep.md 2.2).
    Secrets are masked in all attributes. `code` is negative for a signal.
    """

    def __init__(self, argv: Sequence[str], code: int, output: str, ending: str) -> None:
        super().__init__(f"{shorten_middle(output, ERROR_OUTPUT_LIMIT)}: {ending}")
        self.argv = tuple(argv)
        self.code = code
        self.output = output
        self.ending = ending

    @property
    def timed_out(self) -> bool:
        """Whether the command was killed because it took too long."""
        return self.ending.startswith(TIMED_OUT)


class Runner(Protocol):
    """Runs commands on the host."""

    def run(
        self,
        *argv: str,
        input: str | bytes | None = None,  # noqa: A002 - the name that subprocess uses
        ok: Sequence[int] = (0,),
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        stdout_only: bool = False,
        stdout: BinaryIO | None = None,
    ) -> Result:
        """Run `argv` and wait for its end.

        `input` is fed to standard input, which is empty otherwise. `ok` lists the exit codes that are no error.
        `timeout` is in seconds; the whole process group is killed. `env` is added to our own environment. `secrets`
        are masked in logs and errors (put them into files or `env`, not into `argv`, wherever the program allows).
        `stdout_only` keeps warnings out of an output that is parsed: standard error then appears in errors only.
        `stdout` takes standard output away from the result: the command writes there (a pipe, a file), and `output` is
        what it wrote to standard error.

        Raises CommandError.
        """
        ...


class HostRunner:
    """Runs commands in one scope, as children that do not outlive this process."""

    def __init__(self, scope: Scope = DIRECT) -> None:
        self.scope = scope

    def run(
        self,
        *argv: str,
        input: str | bytes | None = None,  # noqa: A002
        ok: Sequence[int] = (0,),
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        stdout_only: bool = False,
        stdout: BinaryIO | None = None,
    ) -> Result:
        """See `Runner.run`."""
        masked = tuple(mask_secrets(word, secrets) for word in argv)
        logger.info("run: %s", shlex.join(masked))
        full = self.scope.argv(argv)
        environment = {**os.environ, **(env or {})}
        started = time.monotonic()
        with _unnamed_file() as out, _unnamed_file() as err, _input_file(input) as stdin:
            program = shutil.which(full[0], path=environment.get("PATH"))
            if program is None:
                code, ending = NOT_FOUND, f'exec: "{full[0]}": executable file not found in $PATH'
            else:
                separate = err if stdout_only or stdout else None
                code, ending = _execute(program, full[1:], stdin, stdout or out, separate, environment, timeout)
            output, errors = _read(out), _read(err)
        if stdout:
            output, errors = errors, ""
        seconds = time.monotonic() - started
        if not ending and code in ok:
            return Result(argv, code, output.strip(), seconds)
        ending = ending or describe_ending(code)
        logger.warning("failed in scope %s after %.3f s: %s: %s", self.scope.name, seconds, masked[0], ending)
        raise CommandError(masked, code, mask_secrets(output + errors, secrets), ending)


def _execute(
    program: str,
    arguments: tuple[str, ...],
    stdin: BinaryIO,
    out: BinaryIO,
    err: BinaryIO | None,
    environment: Mapping[str, str],
    timeout: float | None,
) -> tuple[int, str]:
    """Return the exit code and, when it did not end by itself, how it ended."""
    command: Any = sh.Command(program)
    process = command(
        *arguments,
        _in=stdin,
        _out=out,
        **({"_err": err} if err else {"_err_to_out": True}),
        _env=environment,
        _tty_out=False,
        _new_session=True,
        _preexec_fn=_die_with_parent,
        _bg=True,
        _bg_exc=False,
        _ok_code=range(-signal.NSIG, 256),
    )
    timed_out = threading.Event()

    def kill_late() -> None:
        timed_out.set()
        _kill_group(process.pid)

    timer = threading.Timer(timeout, kill_late) if timeout is not None else None
    try:
        if timer:
            timer.start()
        process.wait()
    except BaseException:
        _kill_group(process.pid)
        raise
    finally:
        if timer:
            timer.cancel()
    ending = f"{TIMED_OUT} {timeout:g} s" if timed_out.is_set() else ""
    return int(process.exit_code), ending


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _unnamed_file() -> BinaryIO:
    return os.fdopen(os.memfd_create("output"), "w+b", buffering=0)


def _input_file(content: str | bytes | None) -> BinaryIO:
    file = _unnamed_file()
    if content:
        file.write(content.encode() if isinstance(content, str) else content)
        file.seek(0)
    return file


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def describe_ending(code: int) -> str:
    """Return how a process ended in the words of prep.md 2.2: `exit status 3`, `signal: killed`."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"


def mask_secrets(text: str, secrets: Sequence[str]) -> str:
    """Return `text` with every non-empty secret replaced by `***`, longer secrets first."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def shorten_middle(text: str, limit: int) -> str:
    """Return `text`, or its head and tail with a note between them when it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
