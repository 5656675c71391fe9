"""post-pivot-and-rollback.md 6, and "do better" 5."""

import pytest

from agent.node.recert.flow import RecertRun, make_argv
from agent.node.recert.summary import FailedBefore, NotRun, Succeeded, judge_summary


@pytest.mark.parametrize(
    ("summary", "ours", "verdict"),
    [
        (None, False, NotRun()),
        (None, True, NotRun()),
        (b"recert_config: {}\n", True, Succeeded()),
        (b"recert_config: {}\nerror: null\n", True, Succeeded()),
        (b"recert_config: {}\n", False, FailedBefore("")),
        (b"error: no luck\n", True, FailedBefore("no luck")),
        (b"error: no luck\n", False, FailedBefore("no luck")),
        (b"", True, FailedBefore("the summary is no YAML mapping")),
        (b"\0\0\0", True, FailedBefore("the summary is not valid YAML")),
    ],
)
def test_summary_is_judged_by_its_error_and_whose_it_is(summary, ours, verdict):
    assert judge_summary(summary, ours=ours) == verdict


def test_long_error_is_cut():
    verdict = judge_summary(b"error: " + b"x" * 5000, ours=True)
    assert len(verdict.reason) == 1000


RECORDED = (
    "podman run --rm --network=host --privileged --replace --name recert -v /etc:/host-etc -v /etc/ssh:/ssh "
    "-v /etc/kubernetes:/kubernetes -v /var/lib/kubelet:/kubelet -v /var/tmp:/var/tmp "
    "-v /etc/machine-config-daemon:/machine-config-daemon -v /etc/pki:/pki "
    "-e RECERT_CONFIG=/opt/openshift/recert_config.json --authfile /var/lib/kubelet/config.json "
    "-v /opt/openshift:/opt/openshift quay.io/edge-infrastructure/recert:v0"
)
"""Of cli-post-pivot-002."""


def test_recert_is_run_as_recorded():
    run = RecertRun(
        "/opt/openshift/recert_config.json",
        "quay.io/edge-infrastructure/recert:v0",
        "/var/lib/kubelet/config.json",
        ("/opt/openshift",),
    )
    assert make_argv(run, {}) == RECORDED.split()


def test_recert_that_is_pulled_through_a_proxy_does_not_get_to_know_it():
    run = RecertRun("/c", "image", "")
    argv = make_argv(run, {"HTTP_PROXY": "http://u:p@proxy"})
    assert "--http-proxy=false" in argv
    assert "--authfile" not in argv
    assert not [word for word in argv if "u:p" in word]
