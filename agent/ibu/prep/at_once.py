"""Requests that do not depend on each other, a few at a time: most of their time is waiting for the API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 4

T = TypeVar("T")
R = TypeVar("R")


def map_at_once(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the results in the order of `items`; what `function` raises is raised here, and the rest is dropped."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="at-once")
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
