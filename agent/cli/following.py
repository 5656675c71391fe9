"""Following the upgrade's resource over everything that happens to its API server: reboots, pivots, rollbacks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from crds.imagebasedupgrade import ImageBasedUpgrade

_STREAM_SECONDS = 300.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The API server does not answer, or has no such resource; `reason` is one line."""

    reason: str


def follow_upgrade(
    kubeconfig: Path | None, context: str | None, *, limit_seconds: float = math.inf
) -> Iterator[ImageBasedUpgrade | Lost]:
    """Yield the resource whenever it changes, and `Lost` once each time that it can not be read.

    Every stream begins with a new list: behind the same address there may be another cluster after a pivot. Raises
    AccessError when the kubeconfig can not be used.
    """
    from agent.kube import Client, Kind, RetryPolicy, errors
    from crds.imagebasedupgrade import ImageBasedUpgrade

    definition = ImageBasedUpgrade.definition
    kind = Kind(definition.group, definition.version, definition.kind)
    impatient = RetryPolicy(deadline_seconds=10.0, retry_seconds=0.0)
    with Client.connect(kubeconfig, context, policy=impatient) as client:
        answered, until = True, time.monotonic() + limit_seconds
        while (remaining := until - time.monotonic()) > 0:
            reason = "ImageBasedUpgrade upgrade does not exist"
            try:
                with client.watch(kind, name="upgrade", timeout_seconds=min(_STREAM_SECONDS, remaining)) as watch:
                    for event in watch:
                        if event.type == "DELETED":
                            break
                        answered = True
                        yield ImageBasedUpgrade.read(event.object)
                    else:
                        continue
            except errors.WatchExpired:
                continue
            except errors.ApiError as error:
                reason = str(error).splitlines()[0]
            if answered:
                yield Lost(reason)
            answered = False
            with suppress(InterruptedError):
                time.sleep(_RETRY_SECONDS)
