"""What importing costs: processor time of the whole process, resident memory at its end."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.measure import Figure, compare_processes


def measure() -> Iterator[Figure]:
    """Compare `import agent.kube` with an empty program, with what it cannot do without, and with the whole package."""
    floors = {
        "bare Python": "pass",
        "import urllib3, yaml": "import urllib3, yaml",
        "import kubernetes": "import kubernetes",
    }
    for name, code in floors.items():
        yield from compare_processes("import agent.kube", "import agent.kube", name, code, runs=10)
