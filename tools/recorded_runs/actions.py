"""What recordings did to the cluster and the host between two looks at the resource, done again.

An action is found by the words of the recording (`do`). Each is a function of the run and what the words and details
say; a new form is a new function with its pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.kube import Kind, errors
from tools.recorded_runs.cluster import IBU
from tools.recorded_runs.host import INSTALLED
from tools.recorded_runs.scenario import Action
from tools.recorded_runs.site import NAME, Site
from tools.recorded_runs.state import Object


class UnknownActionError(Exception):
    """A recording demands something that this tool can not do."""


Perform = Callable[..., None]
_ACTIONS: list[tuple[re.Pattern[str], Perform]] = []


def perform(run: Site, action: Action) -> errors.ApiError | None:
    """Do it; return the API server's answer when it refused. Raises UnknownActionError."""
    function, words = find_action(action.do)
    try:
        function(run, action.details, **words)
    except (errors.Invalid, errors.Conflict, errors.Forbidden, errors.BadRequest) as refusal:
        return refusal
    return None


def find_action(do: str) -> tuple[Perform, Mapping[str, str]]:
    """The function for the words of a recording, and what these name. Raises UnknownActionError."""
    for pattern, function in _ACTIONS:
        if match := pattern.fullmatch(do):
            return function, match.groupdict()
    raise UnknownActionError(f"nobody knows how to do this here: {do}")


def apply_changes(run: Site, changes: Sequence[Object]) -> None:
    """Do what was changed before a run began."""
    for change in changes:
        for key, function in _CHANGES.items():
            if key in change:
                function(run, change)
                break
        else:
            raise UnknownActionError(f"nobody knows how to change this here: {change}")


def _action(pattern: str) -> Callable[[Perform], Perform]:
    def register(function: Perform) -> Perform:
        _ACTIONS.append((re.compile(pattern), function))
        return function

    return register


# the resource


@_action("merge-patch IBU( status)?")
def _patch_ibu(run: Site, details: Mapping[str, Any]) -> None:
    run.cluster.client.patch_merge(IBU, NAME, details["patch"])


@_action("(create|apply|replace|update) IBU")
def _apply_ibu(run: Site, details: Mapping[str, Any]) -> None:
    run.cluster.apply(details["object"])


@_action("delete IBU")
def _delete_ibu(run: Site, details: Mapping[str, Any]) -> None:
    run.cluster.client.delete(IBU, NAME)


# other objects


@_action("(apply|create|replace) (?P<kind>[A-Z]\\w+) (?P<name>\\S+)")
def _apply(run: Site, details: Mapping[str, Any], kind: str, name: str) -> None:
    run.cluster.apply(details["object"])


@_action("(merge-)?patch (?P<kind>[A-Z]\\w+) (?P<name>\\S+)")
def _patch(run: Site, details: Mapping[str, Any], kind: str, name: str) -> None:
    run.cluster.patch(_find(run, kind, name), details["patch"])


@_action("delete (?P<kind>[A-Z]\\w+) (?P<name>\\S+)")
def _delete(run: Site, details: Mapping[str, Any], kind: str, name: str) -> None:
    found = _find(run, kind, name)
    run.cluster.client.delete(Kind.of(found), found["metadata"]["name"], found["metadata"].get("namespace"))


@_action("Job (?P<name>\\S+) status -> (?P<to>\\w+)")
def _set_job_status(run: Site, details: Mapping[str, Any], name: str, to: str) -> None:
    status: Object = {"active": 1} if to == "active" else {"conditions": [{"type": to, "status": "True"}]}
    run.cluster.patch(run.cluster.find("Job", name), {"status": status})


@_action(
    "(?P<kind>Backup|Restore|DeleteBackupRequest|BackupStorageLocation) (?P<name>\\S+) status.phase -> (?P<to>\\S*)"
)
def _set_phase(run: Site, details: Mapping[str, Any], kind: str, name: str, to: str) -> None:
    status = {"phase": to, **{key: value for key, value in details.items() if key == "errors"}}
    found = _find(run, kind, name)
    run.cluster.patch(found, {"status": status})


@_action("namespace (?P<name>\\S+) created")
def _create_namespace(run: Site, details: Mapping[str, Any], name: str) -> None:
    run.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _find(run: Site, kind: str, name: str) -> Object:
    """An object by its name; a request to delete a Backup by the Backup's, which is what recordings call it."""
    if kind == "DeleteBackupRequest":
        return run.cluster.wait_for(run.cluster.kind(kind), lambda obj: obj["spec"]["backupName"] == name)
    return run.cluster.find(kind, name)


# the host


@_action("host command fault")
def _break_commands(run: Site, details: Mapping[str, Any]) -> None:
    run.host.break_commands(details["faults"])


@_action("host command faults? removed")
def _mend_commands(run: Site, details: Mapping[str, Any]) -> None:
    run.host.mend_commands()


@_action("new stateroot deployed on the host.*")
def _deploy_stateroot(run: Site, details: Mapping[str, Any]) -> None:
    version = run.cluster.client.get(IBU, NAME)["spec"]["seedImageRef"]["version"]
    run.host.deploy("rhcos_" + version.replace("-", "_"))


@_action("ostree admin undeploy (?P<index>\\d+) and removal of /ostree/deploy/(?P<stateroot>\\S+)")
def _undeploy(run: Site, details: Mapping[str, Any], index: str, stateroot: str) -> None:
    run.host.undeploy(int(index), stateroot)


@_action("(host )?file (?P<path>/\\S+) (written|created|changed)")
def _write_file(run: Site, details: Mapping[str, Any], path: str) -> None:
    run.host.write(path, details["content"], details.get("stateroot"))


@_action("(host )?file (?P<path>/\\S+) (removed|deleted)")
def _remove_file(run: Site, details: Mapping[str, Any], path: str) -> None:
    run.host.remove(path, details.get("stateroot"))


# the operator


@_action("operator stopped")
def _stop_operator(run: Site, details: Mapping[str, Any]) -> None:
    if details.get("signal") == "SIGKILL":
        run.operator.kill()
    else:
        run.operator.terminate()


@_action("operator started.*")
def _start_operator(run: Site, details: Mapping[str, Any]) -> None:
    run.operator.start()


@_action("reboot.*")
def _reboot(run: Site, details: Mapping[str, Any]) -> None:
    """Boot the default deployment, with a cluster that has never seen the resource; `objects` exist there besides."""
    run.operator.kill()
    run.host.boot()
    assert run.host.booted == details["booted"], f"{run.host.booted} is booted, not {details['booted']}"
    if run.host.booted != INSTALLED:
        run.host.answer("init-monitor-active")
    run.cluster.wipe()
    run.cluster.make_fixtures()
    if found := re.search(r"ClusterVersion (\S+)", details.get("cluster", "")):
        live = run.cluster.find("ClusterVersion", "version")
        run.cluster.patch(live, {"status": {"desired": {"version": found[1]}}})
    for obj in details.get("objects") or ():
        run.cluster.apply(obj)
    run.operator.start()


# changes before a run


def _write_given_file(run: Site, change: Object) -> None:
    # Recordings leave out the stateroot of the one that is booted; the copy that a rollback shows is of the old one.
    stateroot = change.get("stateroot") or (INSTALLED if change["file"] == "/var/lib/lca/ibu.json" else None)
    run.host.write(change["file"], change["content"], stateroot)


def _apply_given(run: Site, change: Object) -> None:
    run.cluster.apply(change["object"])


def _patch_given(run: Site, change: Object) -> None:
    kind, name = change["patched"].split()
    run.cluster.patch(run.cluster.find(kind, name), change["patch"])


def _delete_given(run: Site, change: Object) -> None:
    kind, name = change["deleted"].split()
    run.cluster.remove(run.cluster.find(kind, name))


def _deploy_given(run: Site, change: Object) -> None:
    run.host.deploy(change["stateroot"])


_CHANGES: Mapping[str, Callable[[Site, Object], None]] = {
    "object": _apply_given,
    "patched": _patch_given,
    "deleted": _delete_given,
    "file": _write_given_file,
    "removedFile": lambda run, change: run.host.remove(change["removedFile"], change.get("stateroot")),
    "standin": lambda run, change: run.host.answer(change["standin"], change.get("content") or ""),
    "commandFaults": lambda run, change: run.host.break_commands(change["commandFaults"]),
    "skopeoInspect": lambda run, change: run.host.set_seed_labels(change["skopeoInspect"]["labels"]),
    "stateroot": _deploy_given,
}
