"""Reading manifests from text, against libyaml's loader alone."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from agent.kube.manifests import decode_stream
from tools.bench.measure import Figure, compare_calls

DOCUMENT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x{0}\n  namespace: y\ndata:\n  a: b\n"


def measure() -> Iterator[Figure]:
    """Read 10 000 documents of one value."""
    text = "---\n".join(DOCUMENT.format(number) for number in range(10_000))
    yield compare_calls(
        "read 10 000 manifests",
        lambda: decode_stream(text),
        "yaml.CSafeLoader",
        lambda: list(yaml.load_all(text, Loader=yaml.CSafeLoader)),
        runs=5,
        warm_up=1,
    )
