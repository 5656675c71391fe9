"""The builder is killed, loses power or fails at any of its steps: the cluster comes back, and there is no half image.

The points come from the itineraries, so a new step is covered without being listed here.
"""

from __future__ import annotations

import pytest

from agent.node.seed.creation import CREATE_SEED
from agent.node.seed.restoration import RESTORE_SEED
from agent.seedgen.itineraries import CLEAN, FINALIZE, LAUNCH
from tests.flow.seedgen.seedsite import SeedSite
from tests.flow.seedgen.test_generation import COMPLETED

CREATION = [f"{CREATE_SEED.name}/{step.name}{moment}" for step in CREATE_SEED.steps for moment in ("", " ended")]
RESTORATION = [f"{RESTORE_SEED.name}/{step.name}{moment}" for step in RESTORE_SEED.steps for moment in ("", " ended")]
OPERATOR = [
    f"{each.name}/{step.name}{m}" for each in (CLEAN, LAUNCH, FINALIZE) for step in each.steps for m in ("", " ended")
]
PUSHED = f"{CREATE_SEED.name}/push_seed_image ended"
QUICK = {
    *(f"kill {CREATE_SEED.name}/{name}" for name in ("install_units ended", "run_recert_on_seed ended", "backup_var")),
    f"kill {RESTORE_SEED.name}/start_kubelet",
    f"power-loss {CREATE_SEED.name}/run_recert_on_seed ended",
    "operator seedgen launch/launch_builder",
}


def mark(kind, points):
    return [pytest.param(p, id=p, marks=() if f"{kind} {p}" in QUICK else pytest.mark.slow) for p in points]


def get_failure(conditions):
    completed, in_progress = conditions
    assert completed[:3] == ("SeedGenCompleted", "False", "Failed")
    assert in_progress[:3] == ("SeedGenInProgress", "False", "Failed")
    assert completed[3] == in_progress[3]
    return completed[3]


@pytest.mark.parametrize("point", mark("kill", CREATION))
def test_builder_killed_in_the_creation(site: SeedSite, point: str) -> None:
    site.sandbox.faults.set("kill-agent-at", f"^step {point}$")
    site.ask()
    assert get_failure(site.wait_ended()).startswith(
        "Seed generation failed: imager container status check failed: expected container exit code 0, found: 137"
    )
    assert (site.inspect() is not None) == (point == PUSHED)


@pytest.mark.parametrize("point", mark("kill", RESTORATION))
def test_builder_killed_in_the_restoration(site: SeedSite, point: str) -> None:
    """The image was pushed; the builder's exit code tells that something went wrong all the same."""
    site.sandbox.faults.set("kill-agent-at", f"^step {point}$")
    site.ask()
    assert "found: 137" in get_failure(site.wait_ended())
    assert site.inspect() is not None


@pytest.mark.parametrize("point", mark("power-loss", CREATION + RESTORATION))
def test_power_lost_while_the_image_is_made(site: SeedSite, point: str) -> None:
    site.sandbox.faults.set("power-loss-at", f"^step {point}$")
    site.ask()
    assert "imager container status check failed: " in get_failure(site.wait_ended())
    assert (site.inspect() is not None) == (point == PUSHED or point in RESTORATION)


@pytest.mark.parametrize("point", mark("operator", OPERATOR))
def test_operator_killed_while_it_works(site: SeedSite, point: str) -> None:
    site.sandbox.faults.set("kill-agent-at", f"^step {point}$")
    site.ask()
    assert site.wait_ended() == COMPLETED
    assert site.inspect() is not None


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            r"^skopeo copy .*/backup/layout:1:denied by the registry",
            "failed to push seed image: denied by the registry",
        ),
        (r"^podman run .*recert_creation_config:1:recert crashed", "failed to run once recert: failed to run recert "),
        (r"^crictl images:1:no runtime", "failed to run once create_container_list: no runtime"),
    ],
)
def test_failing_command_is_named(site: SeedSite, command: str, text: str) -> None:
    site.sandbox.faults.set("command", command)
    site.ask()
    failure = get_failure(site.wait_ended())
    assert "expected container exit code 0, found: 1" in failure
    assert text in failure
    assert site.inspect() is None


def test_restoration_that_failed_is_repeated_by_hand(site: SeedSite) -> None:
    """Until then the cluster has the keys of the seed; afterwards the kubeconfigs of before are good again."""
    site.sandbox.faults.set("command", r"^podman run .*/recert_config:1:recert crashed")
    site.ask()
    failure = get_failure(site.wait_ended_with_new_keys())
    assert "encountered 1 errors during restoration: restore_certificates: failed to run recert tool" in failure
    assert site.run("ls", "/var/tmp/backupCertsDir")
    site.sandbox.faults.clear()
    recert = ("--recert-image", "quay.io/edge-infrastructure/recert:v0")
    site.run("lca-cli", "restore", "--image", site.image, *recert)
    site.sandbox.wait_ready()
