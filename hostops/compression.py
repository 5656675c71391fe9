"""gzip with all processors.

zlib-ng at level 6 takes a fifth of gzip's time for a file that is 2 to 3 % larger; docs/performance.md has the figures.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from zlib_ng import gzip_ng_threaded

LEVEL = 6
_BLOCK_BYTES = 1024**2


@contextlib.contextmanager
def gzip_into(sink: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a file whose content arrives in `sink` as one gzip stream. Raises OSError."""
    threads = len(os.sched_getaffinity(0))
    # Its functions are not typed.
    opened: Any = gzip_ng_threaded.open(sink, "wb", LEVEL, threads=threads, block_size=_BLOCK_BYTES)  # type: ignore[no-untyped-call]
    with opened as writer:
        yield writer
