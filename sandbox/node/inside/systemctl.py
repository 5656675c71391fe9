"""`systemctl` and `systemd-run` of the node: verbs about files are done here, the others by process 1."""

from __future__ import annotations

import _socket
import os
import sys

from sandbox.node.inside import unitfiles

SOCKET = "/run/systemd/private"
VALUE_OPTIONS = ("--root", "--message", "--signal", "--property", "-p", "-s", "-n", "--lines", "-o", "--output", "-t")
FILE_VERBS = ("enable", "disable", "is-enabled", "mask", "unmask", "cat", "reenable", "preset")


def main(arguments: list[str]) -> int:
    """Run the command line `arguments`, whose first word is the program's name."""
    program, words = arguments[0], arguments[1:]
    if program == "systemd-run":
        return ask([program, *(_with_value(words))])
    if program in ("reboot", "poweroff", "halt", "shutdown"):
        verb = "reboot" if program == "reboot" or "-r" in words else "poweroff"
        return ask(["systemctl", *(word for word in words if word in ("-f", "--force", "-ff")), verb])
    words = _join_values(words)
    options = [word for word in words if word.startswith("-")]
    verb, *names = [word for word in words if not word.startswith("-")] or ["list-units"]
    if verb not in FILE_VERBS:
        return ask(["systemctl", *words])
    root = next((word.split("=", 1)[1].rstrip("/") for word in options if word.startswith("--root=")), "")
    code = edit_files(verb, [unitfiles.full_name(name) for name in names], root, quiet="-q" in options)
    if verb in ("is-enabled", "cat") or root or code:
        return code
    ask(["systemctl", "daemon-reload"])
    if "--now" in options:
        return ask(["systemctl", "start" if verb in ("enable", "unmask") else "stop", *names])
    return 0


def edit_files(verb: str, names: list[str], root: str, *, quiet: bool) -> int:
    """Carry out a verb that only concerns unit files; return the exit code."""
    code = 0
    for name in names:
        try:
            if verb == "is-enabled":
                state = unitfiles.enabled_state(name, root)
                code = max(code, 0 if state in ("enabled", "static") else 1)
                print("" if quiet else f"{state}\n", end="")  # noqa: T201
            elif verb == "cat":
                _print_fragments(name, root)
            else:
                action = {
                    "enable": unitfiles.enable_unit,
                    "reenable": unitfiles.enable_unit,
                    "preset": unitfiles.enable_unit,
                    "disable": unitfiles.disable_unit,
                    "mask": unitfiles.mask_unit,
                    "unmask": unitfiles.unmask_unit,
                }[verb]
                if verb == "disable":
                    unitfiles.find_unit(name, unitfiles.search_path(root))
                print("".join(f"{line}\n" for line in action(name, root)), end="", file=sys.stderr)  # noqa: T201
        except unitfiles.NoSuchUnitError as error:
            text = {
                "is-enabled": f"Failed to get unit file state for {name}: No such file or directory",
                "cat": f"No files found for {name}.",
            }.get(verb, f"Failed to {verb} unit: Unit file {name} does not exist." if "not found" in str(error) else "")
            print(text or error, file=sys.stderr)  # noqa: T201
            code = 1
        except OSError as error:
            print(f"Failed to {verb} unit: {error.strerror}: {error.filename}", file=sys.stderr)  # noqa: T201
            code = 1
    return code


def _print_fragments(name: str, root: str) -> None:
    for path in unitfiles.list_fragments(name, unitfiles.search_path(root)):
        with open(path) as file:
            print(f"# {path}\n{file.read()}")  # noqa: T201


def ask(request: list[str]) -> int:
    """Send a request to process 1, print its answer, return its exit code."""
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        client.connect(SOCKET)
    except OSError:
        sys.stderr.write("Failed to connect to bus: the node's process 1 does not answer\n")
        return 1
    client.sendall("\0".join(request).encode() + b"\0\0")
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
    if not answer:
        # Process 1 ended while it worked for us: the node goes down.
        return 0
    code, output, errors = answer.decode().split("\0", 2)
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return int(code)


def _join_values(words: list[str]) -> list[str]:
    """`--message X` -> `--message=X`."""
    joined, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        joined.append(f"{word}={rest.pop(0)}" if word in VALUE_OPTIONS and rest else word)
    return joined


def _with_value(words: list[str]) -> list[str]:
    """`--setenv NAME` takes the value from our own environment."""
    result: list[str] = []
    for index, word in enumerate(words):
        previous = words[index - 1] if index else ""
        if word.startswith("--setenv=") and "=" not in word.removeprefix("--setenv="):
            result.append(f"{word}={os.environ.get(word.removeprefix('--setenv='), '')}")
        elif previous in ("--setenv", "-E") and "=" not in word:
            result.append(f"{word}={os.environ.get(word, '')}")
        else:
            result.append(word)
    return result


if __name__ == "__main__":
    sys.exit(main([os.path.basename(sys.argv[0]) if len(sys.argv) < 2 else sys.argv[1], *sys.argv[2:]]))
