"""Tests that boot nodes: their own waits end first and say for what, the limit of the whole test is the last resort."""

from __future__ import annotations

from pathlib import Path

import pytest

LIMIT_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_SECONDS))
