"""Why a Backup or Restore failed, in the few lines that a condition can hold (proposal 2 of upgrade-and-oadp.md).

All functions are pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.velero.names import OADP_NAMESPACE
from agent.velero.progress import FAILED_VALIDATION, PARTIALLY_FAILED, measure_progress, read_phase, read_status

ERRORS_PER_OBJECT = 5
CHARACTERS_PER_OBJECT = 2048
OBJECTS = 12
"""Objects whose causes are told: a condition holds 32768 characters."""

_CHARACTERS_PER_ERROR = 500
_FIELD = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|\S*)')


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed object: `detail` is its phase and why, `hint` where more can be seen."""

    name: str
    detail: str
    hint: str

    def __str__(self) -> str:
        """The line of the condition, in bounded length; the hint is never cut."""
        head, tail = f"{self.name}: ", f"; see {self.hint}"
        return head + cut(self.detail, CHARACTERS_PER_OBJECT - len(head) - len(tail)) + tail


def describe_failure(obj: Mapping[str, Any], errors: Sequence[str] = (), saved_as: str = "") -> Failure:
    """Say why Velero failed an object; `errors` are those of its results or log, `saved_as` a file with all of them."""
    phase, status = read_phase(obj), read_status(obj)
    causes: list[str] = []
    if phase == FAILED_VALIDATION:
        causes = [str(problem) for problem in status.get("validationErrors") or ()]
    elif status.get("failureReason"):
        causes = [str(status["failureReason"])]
    causes += [error for error in errors if error not in causes]
    counts = _count(status) if phase == PARTIALLY_FAILED or not causes else ""
    parts = [phase, *filter(None, (counts, list_errors(causes)))]
    return Failure(str(obj["metadata"]["name"]), ": ".join(parts), _find_hint(obj, phase, saved_as))


def describe_stall(obj: Mapping[str, Any], since: str) -> Failure:
    """Say that Velero does not get on with an object; `since` is for how long."""
    detail = f"{measure_progress(obj) or 'not started'}, no progress for {since}: does deployment/velero run?"
    return Failure(str(obj["metadata"]["name"]), detail, _find_hint(obj, "", ""))


def join_failures(start: str, failures: Sequence[Failure]) -> str:
    """Return `start`, all names joined by commas, and one line for each of the first failures."""
    lines = [f"\n  - {failure}" for failure in failures[:OBJECTS]]
    if len(failures) > OBJECTS:
        lines.append(f"\n  - and {len(failures) - OBJECTS} more")
    return start + ",".join(failure.name for failure in failures) + "".join(lines)


def list_errors(errors: Sequence[str]) -> str:
    """Join the first errors, each on one line and in bounded length; the rest is only counted."""
    shown = [cut(" ".join(error.split()), _CHARACTERS_PER_ERROR) for error in errors[:ERRORS_PER_OBJECT]]
    more = len(errors) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def read_results(content: bytes) -> list[str]:
    """Return the errors of a results file: Velero's own, cluster-scoped ones, then by namespace. Raises ValueError."""
    parsed = json.loads(content)
    errors = parsed.get("errors") if isinstance(parsed, dict) else None
    if errors is None:
        return []
    if not isinstance(errors, dict):
        raise ValueError("the results file has another form")
    found = [str(text) for part in ("velero", "cluster") for text in errors.get(part) or ()]
    for namespace, texts in sorted((errors.get("namespaces") or {}).items()):
        found += [text if namespace in text else f"namespace {namespace}: {text}" for text in map(str, texts or ())]
    return found


def read_log_errors(lines: Iterable[str]) -> Iterable[str]:
    """Yield what the lines of level error say: message, error, and the object it is about."""
    for line in lines:
        if "level=error" not in line:
            continue
        fields = {key: _unquote(value) for key, value in _FIELD.findall(line)}
        if fields.get("level") != "error":
            continue
        said = [fields[key] for key in ("msg", "error") if fields.get(key)]
        about = "/".join(fields[key] for key in ("resource", "namespace", "name") if fields.get(key))
        yield ": ".join(dict.fromkeys(said)) + (f" ({about})" if about else "")


def cut(text: str, limit: int) -> str:
    """Cut a text that is longer than `limit` characters at its end."""
    return text if len(text) <= limit else f"{text[: max(limit - 3, 0)]}..."


def _count(status: Mapping[str, Any]) -> str:
    counts = ((int(status.get(key) or 0), key) for key in ("errors", "warnings"))
    return ", ".join(f"{number} {key if number != 1 else key[:-1]}" for number, key in counts if number)


def _find_hint(obj: Mapping[str, Any], phase: str, saved_as: str) -> str:
    kind, name = str(obj["kind"]).lower(), obj["metadata"]["name"]
    if phase in (FAILED_VALIDATION, ""):
        return f"`oc describe {kind}s.velero.io {name} -n {OADP_NAMESPACE}`"
    saved = f"{saved_as}, " if saved_as else ""
    commands = f"`velero {kind} describe {name} --details` and `velero {kind} logs {name}`"
    return f"{saved}{commands} in deployment/velero of {OADP_NAMESPACE}"


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')
