import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hostops.runner import NOT_FOUND, CommandError, HostRunner
from hostops.scopes import Scope, chroot_scope

runner = HostRunner()


def test_run_of_a_command_returns_stripped_output_of_both_streams_in_order():
    result = runner.run("bash", "-c", "echo; echo one; echo two >&2; echo three; echo")
    assert (result.output, result.code) == ("one\ntwo\nthree", 0)


def test_run_stdout_only_leaves_warnings_out():
    assert runner.run("bash", "-c", "echo '{}'; echo warning >&2", stdout_only=True).output == "{}"


def test_run_of_a_failing_command_raises_unstripped_text_and_exit_status():
    with pytest.raises(CommandError) as raised:
        runner.run("bash", "-c", "echo ' no such thing'; exit 3")
    assert str(raised.value) == " no such thing\n: exit status 3"
    assert raised.value.code == 3


def test_run_stdout_only_shows_standard_error_in_the_failure():
    with pytest.raises(CommandError, match="out\nwhy\n: exit status 1"):
        runner.run("bash", "-c", "echo out; echo why >&2; exit 1", stdout_only=True)


def test_run_with_an_accepted_code_returns_it():
    assert runner.run("bash", "-c", "exit 4", ok=(0, 4)).code == 4


def test_run_of_a_killed_command_names_the_signal():
    with pytest.raises(CommandError, match=r"^: signal: killed$") as raised:
        runner.run("bash", "-c", "kill -9 $$")
    assert raised.value.code == -signal.SIGKILL


def test_run_of_a_missing_program_says_so():
    with pytest.raises(
        CommandError, match=r'^: exec: "no-such-program": executable file not found in \$PATH$'
    ) as raised:
        runner.run("no-such-program")
    assert raised.value.code == NOT_FOUND


def test_run_past_its_timeout_kills_the_whole_group(tmp_path):
    started = time.monotonic()
    with pytest.raises(CommandError, match=r"^begun\n: timed out after 0\.3 s$"):
        runner.run("bash", "-c", f"echo begun; sleep 60 & echo $! >{tmp_path}/pid; wait", timeout=0.3)
    assert time.monotonic() - started < 10
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_run_does_not_wait_for_a_grandchild_that_keeps_the_output_open(tmp_path):
    started = time.monotonic()
    result = runner.run("bash", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; echo done")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert result.output == "done"
    assert time.monotonic() - started < 10


def test_run_of_a_killed_parent_leaves_no_command_behind(tmp_path):
    child = f"echo $$ >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60"
    program = f"from hostops.runner import HostRunner; HostRunner().run('bash', '-c', {child!r})"
    parent = subprocess.Popen([sys.executable, "-c", program])
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_run_feeds_its_input_and_an_empty_one_without():
    assert runner.run("cat", input="fed").output == "fed"
    assert runner.run("cat").output == ""


def test_run_passes_more_output_than_a_pipe_holds():
    assert len(runner.run("bash", "-c", "head -c 3000000 /dev/zero | tr '\\0' x").output) == 3_000_000


def test_run_adds_the_environment():
    assert runner.run("bash", "-c", "echo $A${HOME:+h}", env={"A": "1"}).output == "1h"


def test_run_gives_no_terminal():
    assert runner.run("bash", "-c", "[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo none").output == "none"


def test_run_keeps_binary_output_readable():
    assert runner.run("printf", r"a\xffb").output == "a\ufffdb"


def test_run_passes_words_unchanged():
    words = ["$HOME", "a b", "", "*", "--x=1", "é", '"q"', "line\nbreak"]
    assert runner.run("printf", "%s|", *words).output == "|".join(words) + "|"


def test_run_masks_secrets_in_log_and_error(caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CommandError) as raised:
        runner.run("bash", "-c", "echo token=$0; exit 1", "hunter2", secrets=["hunter2", ""])
    assert str(raised.value) == "token=***\n: exit status 1"
    assert "hunter2" not in caplog.text + repr(raised.value.argv)


def test_run_logs_one_line_that_can_be_pasted(caplog):
    caplog.set_level(logging.INFO)
    runner.run("printf", "%s", "it's")
    (line,) = [record.getMessage() for record in caplog.records]
    command = line.removeprefix("run: ")
    assert subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout == "it's"


def test_run_logs_a_failure_with_its_scope(caplog):
    with pytest.raises(CommandError):
        HostRunner(Scope("elsewhere", ("env",))).run("false")
    assert "failed in scope elsewhere" in caplog.text
    assert "exit status 1" in caplog.text


def test_run_of_a_noisy_failure_keeps_head_and_tail():
    with pytest.raises(CommandError) as raised:
        runner.run("bash", "-c", "echo head; seq 100000; echo tail; exit 1")
    text = str(raised.value)
    assert text.startswith("head\n1\n")
    assert text.endswith("tail\n: exit status 1")
    assert len(text) < 20_000


def test_chroot_scope_runs_below_the_root_in_its_root_folder(tmp_path):
    host = tmp_path / "host"
    for name in ("usr", "bin", "lib", "lib64"):
        (host / name).mkdir(parents=True)
    (host / "marker").write_text("below the root")
    binds = " && ".join(f"mount --rbind /{name} {host}/{name}" for name in ("usr", "bin", "lib", "lib64"))
    command = shlex.join(chroot_scope(host).argv(("bash", "-c", "pwd; cat marker")))
    assert runner.run("unshare", "-m", "bash", "-c", f"{binds} && {command}").output == "/\nbelow the root"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, f"process {pid} is still running"
        time.sleep(0.01)
