"""How a seed image is generated: each itinerary leads from one phase of the journal to the next (A.6-A.8)."""

from __future__ import annotations

from agent.seedgen import messages
from agent.seedgen.beginning import (
    await_health,
    begin_cleaning,
    begin_launching,
    begin_preparing,
    begin_stabilizing,
    check_push,
    clear_workspace,
    pull_recert_image,
    validate_cluster,
    write_auth_file,
)
from agent.seedgen.builder import await_builder, launch_builder, remove_old_builder
from agent.seedgen.cleanup import (
    FAILED,
    remove_ended_pods,
    remove_hub_definitions,
    remove_hub_namespaces,
    remove_hub_rest,
    remove_old_machine_configs,
)
from agent.seedgen.context import Context, make_step
from agent.seedgen.decide import Work
from agent.seedgen.ending import call_off, remove_workspace, report_failure, report_result
from agent.seedgen.pull_secret import (
    await_pull_secret,
    put_back_pull_secret,
    sanitize_pull_secret,
    store_pull_secret,
)
from agent.seedgen.stored import (
    remove_generator,
    remove_secret,
    remove_upgrade,
    restore_generator,
    restore_secret,
    store_generator,
    store_secret,
)
from agent.workflow.step import Itinerary
from seeds.creation.workspace import AUTH_FILE, WORKSPACE

VALIDATE: Itinerary[Context] = Itinerary(
    "seedgen validate", (make_step(validate_cluster), make_step(begin_stabilizing))
)
STABILIZE: Itinerary[Context] = Itinerary(
    "seedgen stabilize",
    (
        make_step(await_health),
        make_step(clear_workspace, messages.STARTING, failing="failed to wipe previous workspace"),
        make_step(remove_old_builder, failing="failed to delete previous imager container"),
        make_step(begin_preparing),
    ),
)
PREPARE: Itinerary[Context] = Itinerary(
    "seedgen prepare",
    (
        make_step(pull_recert_image, messages.PULLING_RECERT, failing="failed to pull recert image"),
        make_step(
            store_secret, messages.PREPARING, failing=f"failed to write secret to {WORKSPACE}/seedgen-secret.json"
        ),
        make_step(write_auth_file, failing=f"failed to write {AUTH_FILE}"),
        make_step(check_push, failing="failed to check the access to the registry"),
        make_step(store_pull_secret, failing="could not access pull-secret pull-secret in openshift-config"),
        make_step(begin_cleaning),
    ),
)
CLEAN: Itinerary[Context] = Itinerary(
    "seedgen clean",
    (
        make_step(remove_hub_definitions, messages.CLEANING, failing=FAILED),
        make_step(remove_hub_namespaces, failing=FAILED),
        make_step(remove_hub_rest, failing=FAILED),
        make_step(remove_ended_pods, failing="failed to cleanup Succeeded and Failed pods"),
        make_step(sanitize_pull_secret, failing="failed sanitizing cluster's pull-secret"),
        make_step(remove_old_machine_configs, failing="failed to cleanup old machine configs, err"),
        make_step(store_generator, messages.LAUNCHING, failing=f"failed to write CR to {WORKSPACE}/seedgen-cr.json"),
        make_step(begin_launching),
    ),
)
LAUNCH: Itinerary[Context] = Itinerary(
    "seedgen launch",
    (
        make_step(remove_secret, failing="unable to delete seedgen secret CR"),
        make_step(remove_generator, failing="unable to delete seedgen CR"),
        make_step(remove_upgrade, failing="failed to delete IBU CR"),
        make_step(launch_builder),
    ),
)
AWAIT_BUILDER: Itinerary[Context] = Itinerary("seedgen await builder", (make_step(await_builder),))
FINALIZE: Itinerary[Context] = Itinerary(
    "seedgen finalize",
    (
        make_step(restore_secret),
        make_step(restore_generator),
        make_step(put_back_pull_secret, messages.FINALIZING),
        make_step(report_result),
        make_step(remove_workspace),
    ),
)
CALL_OFF: Itinerary[Context] = Itinerary("seedgen call off", (make_step(call_off),))
UNDO: Itinerary[Context] = Itinerary(
    "seedgen undo",
    (
        make_step(restore_generator),
        make_step(restore_secret),
        make_step(put_back_pull_secret, messages.RESTORING),
        make_step(await_pull_secret),
        make_step(report_failure),
        make_step(remove_workspace),
    ),
)

ITINERARIES: dict[Work, Itinerary[Context]] = {
    Work.VALIDATE: VALIDATE,
    Work.STABILIZE: STABILIZE,
    Work.PREPARE: PREPARE,
    Work.CLEAN: CLEAN,
    Work.LAUNCH: LAUNCH,
    Work.AWAIT_BUILDER: AWAIT_BUILDER,
    Work.FINALIZE: FINALIZE,
    Work.CALL_OFF: CALL_OFF,
    Work.UNDO: UNDO,
}
