"""One resource after the other: whoever deletes it, or puts another in its place, must not lose an upgrade under way.

A GitOps controller that finds the resource gone makes a new one within a second, maybe before the operator has looked.
"""

from __future__ import annotations

import logging

from agent.kube import Object
from agent.pivot.saved import Disposal, SavedResource, dispose_deleted

log = logging.getLogger(__name__)


class Succession:
    """Remembers the resource of the last pass; `note_deleted` may be called from another thread."""

    def __init__(self, saved: SavedResource) -> None:
        self._saved = saved
        self._seen: Object | None = None
        self._deleted: Object | None = None
        self._settled = ""

    def note_seen(self, obj: Object) -> None:
        """Remember the resource as a pass leaves it."""
        self._seen = obj

    def note_deleted(self, obj: Object) -> None:
        """Remember the last state of a resource that is gone; it may have changed since the last pass."""
        self._deleted = obj

    def settle(self, raw: Object | None) -> None:
        """Save or forget the state of a resource that is gone before `raw`, which may have taken its place, is used.

        Raises OSError.
        """
        gone = self._find_gone(raw)
        if gone is None:
            return
        disposal = dispose_deleted(gone)
        log.info("the resource was deleted", extra={"now": disposal.value, "replaced": raw is not None})
        if disposal is Disposal.SAVE:
            self._saved.save(gone)
        elif disposal is Disposal.FORGET:
            self._saved.remove()
        self._settled, self._seen = _get_uid(gone), None

    def _find_gone(self, raw: Object | None) -> Object | None:
        """The newest state of the predecessor of `raw`, if its end has not been settled."""
        deleted, self._deleted = self._deleted, None
        known = [obj for obj in (deleted, self._seen) if obj is not None]
        present = {self._settled, _get_uid(raw) if raw else ""}
        return next((obj for obj in known if _get_uid(obj) not in present), None)


def _get_uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))
