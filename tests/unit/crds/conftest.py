"""The models are real, the CRDs are read from the generated YAML files, and a CEL library evaluates the rules in them.

Nothing talks to an API server here: tests/api/crds does.
"""

from pathlib import Path

import pytest
import yaml

from crds import generate
from crds.base import Object


def read_crd(path: Path) -> Object:
    document: Object = yaml.safe_load(path.read_text())
    return document


@pytest.fixture(scope="session")
def ibu_crd() -> Object:
    return read_crd(generate.FOLDER / "imagebasedupgrade.yaml")


@pytest.fixture(scope="session")
def seedgen_crd() -> Object:
    return read_crd(generate.FOLDER / "seedgenerator.yaml")
