"""The whole way over the pivot, and what stands in it."""

from __future__ import annotations

from agent.kube import Client
from tests.flow.pivot.site import Site, assert_configured, wait_log
from tests.flow.prep.upgrade import STATEROOT


def test_pivot_gives_the_seed_the_identity_of_the_site(site: Site) -> None:
    site.hand_over()
    site.pivot()
    assert_configured(site)
    text = site.log.read_text()
    assert 'level=info msg="Post pivot operation has started"' in text
    assert text.count('level=info msg="Post pivot operation finished successfully!"') == 1
    with Client.connect(site.old_kubeconfig) as client:
        assert_no_secret_told(site, client, text)


def test_rebooted_node_stays_as_it_was_configured(site: Site) -> None:
    site.hand_over()
    site.pivot()
    site.sandbox.reboot()
    site.sandbox.wait_ready()
    assert_configured(site)
    assert site.log.read_text().count("Post pivot operation has started") == 1


def test_node_without_hand_over_waits_for_it(site: Site) -> None:
    site.hand_over()
    configuration = site.stateroot / "var/opt/openshift/cluster-configuration"
    aside = configuration.rename(configuration.with_name("aside"))
    site.boot()
    wait_log(site.log, "wait_for_configuration")
    assert site.sandbox.run("systemctl", "is-active", "kubelet", check=False).stdout == "inactive\n"
    assert site.booted == STATEROOT
    aside.rename(configuration)
    site.wait_configured()
    assert_configured(site)


def assert_no_secret_told(site: Site, client: Client, text: str) -> None:
    """The log repeats none of the secrets that were handed over."""
    assert "SSH-PRIVATE" not in text
    assert "PRIVATE KEY" not in text
    assert site.pull_secret not in text
    assert '"auth"' not in text
