"""Whether the operator has anything to do at this moment: it tells in its metrics."""

from __future__ import annotations

import re
import time
import urllib.request

from tools.operator_process import OperatorProcess

_POLL_SECONDS = 0.1
_WORKER = re.compile(
    r"^(workqueue_depth|workqueue_adds_total|controller_runtime_active_workers)"
    r'\{[^}]*controller="imagebasedupgrade"[^}]*\} (\S+)$',
    re.MULTILINE,
)
_BUSY = ("workqueue_depth", "controller_runtime_active_workers")


def wait_until_idle(
    operator: OperatorProcess, token: str, *, requests_at_start: int = 0, timeout_seconds: float = 60.0
) -> None:
    """Return as soon as the operator has nothing to do, or has ended. Raises TimeoutError.

    A pass that waits for its time to look again counts as nothing to do. `requests_at_start` is how many requests a
    start brings: with fewer, it still opens its watches.
    """
    deadline = time.monotonic() + timeout_seconds
    before: dict[str, float] = {}
    while operator.process.poll() is None:
        now = _read_worker(operator, token)
        started = now.get("workqueue_adds_total", 0) >= requests_at_start
        if now and started and now == before and not any(now[name] for name in _BUSY):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the operator is not idle after {timeout_seconds} s; the log:\n{operator.show_log()}")
        before = now
        time.sleep(_POLL_SECONDS)


def _read_worker(operator: OperatorProcess, token: str) -> dict[str, float]:
    """The figures of the upgrade's worker; none while the operator starts."""
    port = operator.find_port("/metrics")
    if port is None:
        return {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            figures = {name: float(value) for name, value in _WORKER.findall(answer.read().decode())}
    except OSError:
        return {}
    return figures if len(figures) == 3 else {}
