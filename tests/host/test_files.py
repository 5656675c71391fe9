import os
import stat
import subprocess
import sys
import threading

import pytest

from hostops.files import (
    copy_atomically,
    make_directory,
    once,
    read_json,
    remove_durably,
    replacing,
    write_atomically,
    write_json,
)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_write_atomically_sets_content_and_mode_whatever_the_umask(tmp_path):
    previous = os.umask(0o077)
    try:
        write_atomically(tmp_path / "f", "text", 0o644)
    finally:
        os.umask(previous)
    assert (tmp_path / "f").read_text() == "text"
    assert mode_of(tmp_path / "f") == 0o644


def test_replacing_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path):
    (tmp_path / "f").write_text("old")
    with pytest.raises(TypeError), replacing(tmp_path / "f") as file:
        file.writelines([b"half", None])
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "old")]


def test_write_atomically_is_never_seen_half_written(tmp_path):
    path = tmp_path / "f"
    contents = {"a" * 300_000, "b" * 200_000}
    path.write_text("a" * 300_000)
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for content in sorted(contents) * 20:
        write_atomically(path, content)
    stop.set()
    reader.join()
    assert seen <= contents


def test_write_atomically_killed_at_any_moment_leaves_old_or_new(tmp_path):
    path = tmp_path / "f"
    path.write_text("0" * 100_000)
    program = (
        "import sys; from pathlib import Path; from hostops.files import write_atomically\n"
        f"print('ready', flush=True)\nwhile True:\n for d in '01': write_atomically(Path({str(path)!r}), d * 100_000)"
    )
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert path.read_text() in {"0" * 100_000, "1" * 100_000}


def test_copy_atomically_takes_over_the_permissions(tmp_path):
    (tmp_path / "a").write_bytes(b"\0data")
    (tmp_path / "a").chmod(0o640)
    copy_atomically(tmp_path / "a", tmp_path / "b")
    assert ((tmp_path / "b").read_bytes(), mode_of(tmp_path / "b")) == (b"\0data", 0o640)


def test_write_json_is_compact_and_private(tmp_path):
    write_json(tmp_path / "f", {"a": [1, True], "b": "é"})
    assert (tmp_path / "f").read_text() == '{"a":[1,true],"b":"é"}'
    assert mode_of(tmp_path / "f") == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'"\xff"'])
def test_read_json_of_a_damaged_file_names_it(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path}/f is not valid JSON: "):
        read_json(tmp_path / "f")


def test_make_directory_keeps_the_mode_of_existing_folders(tmp_path):
    make_directory(tmp_path / "a", 0o755)
    make_directory(tmp_path / "a" / "b", 0o700)
    make_directory(tmp_path / "a", 0o700)
    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")) == (0o755, 0o700)


def test_remove_durably_of_an_absent_file_is_fine(tmp_path):
    (tmp_path / "f").touch()
    remove_durably(tmp_path / "f")
    remove_durably(tmp_path / "f")
    assert not list(tmp_path.iterdir())


def test_once_skips_what_was_done(tmp_path):
    with once(tmp_path, "step") as first:
        pass
    with once(tmp_path, "step") as second:
        pass
    assert (first, second) == (True, False)
    assert (tmp_path / "step.done").read_bytes() == b""


def test_once_that_failed_is_still_to_do(tmp_path):
    with pytest.raises(RuntimeError), once(tmp_path, "step"):
        raise RuntimeError
    assert not (tmp_path / "step.done").exists()
