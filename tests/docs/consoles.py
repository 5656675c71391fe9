"""Reads the console sessions of a Markdown page and runs them as a reader would: in one shell, from top to bottom.

A session is a fenced block marked `console`. Lines that begin with `$ ` are commands, `> ` continues one; what follows
is output. `...` in it stands for anything; lines of output that the page leaves out must be shown by a line `...`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Command:
    """A command as typed, the line of the page that it stands in, and the output that the page shows."""

    line: int
    text: str
    output: list[str] = field(default_factory=list)


def read_commands(page: str) -> list[Command]:
    """Return all commands of a page in order."""
    commands: list[Command] = []
    for block in _FENCE.finditer(page):
        first = page[: block.start(1)].count("\n") + 1
        for number, line in enumerate(block[1].splitlines(), first):
            if line.startswith("$ "):
                commands.append(Command(number, line[2:]))
            elif line.startswith("> ") and commands and not commands[-1].output:
                commands[-1].text += "\n" + line[2:]
            elif commands:
                commands[-1].output.append(line)
            else:
                raise ValueError(f"line {number}: a console session begins with a command")
    return commands


def matches(expected: list[str], actual: list[str]) -> bool:
    """Tell whether output is as the page shows it; blank lines and blanks at line ends do not count."""
    wanted = [line.rstrip() for line in expected if line.strip()]
    lines = [line.rstrip() for line in actual if line.strip()]
    if not wanted:
        return True
    parts = ["(?:.*\n)*" if line == "..." else _compile_line(line) + "\n" for line in wanted]
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in lines)) is not None


def _compile_line(line: str) -> str:
    """One line as a pattern: columns may be wider or narrower than on the page."""
    words = [re.escape(word).replace(r"\.\.\.", ".*") for word in line.split()]
    return r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*"


class Shell:
    """A bash in which variables and the folder stay from one command to the next."""

    _END = "the-command-is-over"

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, list[str]]:
        """Run one command; return exit code and lines of output, standard error among them."""
        assert self._bash.stdin
        self._bash.stdin.write(f"{command}\ncode=$?; echo; echo {self._END} $code\n")
        self._bash.stdin.flush()
        return self._read_answer()

    def _read_answer(self) -> tuple[int, list[str]]:
        lines = list(self._read_lines())
        return int(lines.pop().split()[1]), lines[:-1] if lines[-1:] == [""] else lines

    def _read_lines(self) -> Iterator[str]:
        assert self._bash.stdout
        for line in self._bash.stdout:
            yield line.rstrip("\n")
            if line.startswith(self._END):
                return
        raise AssertionError("the shell has ended")

    def close(self) -> None:
        """End the shell and what it runs in the foreground."""
        self._bash.kill()
        self._bash.communicate()
