"""Events: built completely, and never a reason to fail."""

from typing import Any

from agent.kube import errors
from agent.runtime.events import make_event, send_event

UPGRADE = {
    "apiVersion": "lca.openshift.io/v1",
    "kind": "ImageBasedUpgrade",
    "metadata": {"name": "upgrade", "uid": "u-1", "resourceVersion": "7"},
}


def make(note: str = "System will now reboot for upgrade") -> dict[str, Any]:
    return make_event(
        UPGRADE, controller="ImageBasedUpgrade", instance="pod", kind="Normal", reason="Reboot", note=note
    )


def test_event_about_a_cluster_scoped_object_lives_in_default() -> None:
    event = make()
    assert event["metadata"]["namespace"] == "default"
    assert event["regarding"] == {
        **{key: UPGRADE[key] for key in ("apiVersion", "kind")},
        "name": "upgrade",
        "uid": "u-1",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["action"]) == ("Normal", "Reboot", "Reboot")
    assert (event["reportingController"], event["note"]) == ("ImageBasedUpgrade", "System will now reboot for upgrade")


def test_event_long_note_is_cut_to_what_the_api_accepts() -> None:
    assert len(make("x" * 5000)["note"]) == 1024


def test_send_event_refused_is_no_error() -> None:
    class Refusing:
        def create(self, obj: Any, *, dry_run: bool = False) -> Any:
            raise errors.Invalid("events about cluster-scoped objects live elsewhere", status=422)

    assert send_event(Refusing(), make()) is False
