import pytest

from agent.seedgen.builder import make_builder_argv
from agent.seedgen.validation import is_new_enough

LAUNCH = """
systemd-run --collect --property ExitType=cgroup --property RuntimeMaxSec=2h --property TimeoutStopSec=30min
--property <stop> --unit lca-generate-seed-image --setenv HTTP_PROXY --setenv HTTPS_PROXY --setenv NO_PROXY
podman run --privileged --pid=host --name=lca_image_builder --replace --net=host --http-proxy=true
-v /etc:/etc -v /var:/var -v /var/run:/var/run -v /run/systemd/journal/socket:/run/systemd/journal/socket
-v /var/lib/lca/ibu-seedgen-orch/auth.json:/var/lib/lca/ibu-seedgen-orch/auth.json
--entrypoint lca-cli quay.io/lca create --authfile /var/lib/lca/ibu-seedgen-orch/auth.json
--image quay.io/seed:1 --recert-image quay.io/recert
"""


@pytest.mark.parametrize(("skip", "more"), [(False, []), (True, ["--skip-recert-validation"])])
def test_builder_is_launched_as_documented(skip, more):
    """A.7 without --wait: the operator does not block, and RuntimeMaxSec and ExecStopPost bring the cluster back."""
    argv = make_builder_argv(
        image="quay.io/lca", seed_image="quay.io/seed:1", recert_image="quay.io/recert", skip_recert=skip
    )
    stop = "ExecStopPost=-/usr/bin/env systemctl start lca-restore-seed.service"
    assert list(argv) == [stop if word == "<stop>" else word for word in LAUNCH.split()] + more


@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.3.1", True), ("1.4.0", True), ("2.0.0-rc1", True), ("1.3.1-rc1", False), ("1.3.0", False), ("x", False)],
)
def test_oadp_is_new_enough_from_1_3_1_on(version, enough):
    assert is_new_enough(version) is enough
