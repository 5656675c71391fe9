"""Importing agent.kube must stay cheap and must not disturb others who use the kubernetes package.

Each test runs in a Python process of its own, because what is imported stays imported.
"""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_generated_module_is_imported() -> None:
    heavy = ("kubernetes", "requests", "oauthlib", "pydantic", "kopf", "prometheus_client")
    assert run(f"import sys, agent.kube; print([m for m in sys.modules if m.startswith({heavy})])") == "[]"


def test_the_genuine_package_can_be_imported_afterwards() -> None:
    code = (
        "import agent.kube, kubernetes, kubernetes.client.rest, kubernetes.config.kube_config as k; "
        "kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(kubernetes.client.Configuration())); "
        "assert k.OAuth2Session and kubernetes.config.load_kube_config and kubernetes.client.V1Pod"
    )
    run(code)


def test_the_genuine_package_is_used_when_it_is_imported_already() -> None:
    code = (
        "import kubernetes.config, agent.kube.access as a; "
        "assert a.kubernetes_modules.kube_config is kubernetes.config.kube_config"
    )
    run(code)


def test_another_layout_of_the_package_falls_back_to_the_genuine_import() -> None:
    code = (
        "import agent.kube.lean_import as lean; lean._PLACEHOLDERS += ('kubernetes.client.exceptions',); "
        "modules = lean.import_configuration_modules(); "
        "import kubernetes.config; assert modules.kube_config is kubernetes.config.kube_config"
    )
    run(code)
