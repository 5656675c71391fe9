"""The CRDs are read from the generated YAML; a CEL library evaluates the rules in them as an API server would.

Nothing in tests/unit reaches a network, a host command or an API server.
"""

import pytest

from tests.cel import Judge, Rules, read_schema


@pytest.fixture(scope="session")
def judge_ibu() -> Judge:
    return Rules(read_schema("imagebasedupgrade.yaml")).judge


@pytest.fixture(scope="session")
def judge_seedgen() -> Judge:
    return Rules(read_schema("seedgenerator.yaml")).judge


@pytest.fixture(scope="session")
def judge_seedgen_spec() -> Judge:
    return Rules(read_schema("seedgenerator.yaml")["properties"]["spec"]).judge
