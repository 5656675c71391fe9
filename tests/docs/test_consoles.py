"""The reader of console sessions itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.consoles import Command, Shell, matches, read_commands

PAGE = """Text.

```console
$ first one
$ second \\
>   continued
a line
... b
```

```yaml
not: a session
```
"""


def test_read_commands_keeps_line_continuation_and_output() -> None:
    assert read_commands(PAGE) == [
        Command(4, "first one"),
        Command(5, "second \\\n  continued", ["a line", "... b"]),
    ]


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ([], ["anything"], True),
        (["NAME   AGE"], ["NAME AGE"], True),
        (["NAME   AGE"], ["NAME AGE", "x 1"], False),
        (["NAME   AGE", "..."], ["NAME AGE", "x 1"], True),
        (["x   ...   Idle"], ["x   3m12s  Idle"], True),
        (["x   ...   Idle"], ["x   3m12s  Failed"], False),
        (["...", "last"], ["one", "two", "last"], True),
        (["[a.b]"], ["[a.b]"], True),
        (["[a.b]"], ["[axb]"], False),
        (["one"], [], False),
    ],
)
def test_matches_lets_only_dots_stand_for_anything(expected: list[str], actual: list[str], same: bool) -> None:
    assert matches(expected, actual) is same


def test_shell_keeps_variables_and_tells_exit_codes(tmp_path: Path) -> None:
    shell = Shell(tmp_path, dict(os.environ))
    try:
        assert shell.run("word=hello; false") == (1, [])
        assert shell.run("echo $word; echo oops >&2") == (0, ["hello", "oops"])
        assert shell.run("printf unfinished") == (0, ["unfinished"])
    finally:
        shell.close()
