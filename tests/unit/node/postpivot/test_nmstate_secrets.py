from agent.node.postpivot.network import find_nmstate_secrets
from hostops.runner import mask_secrets

STATE = """
interfaces:
- name: eth1
  802.1x:
    identity: client
    private-key-password: "two words"
  macsec: {mka-cak: 50b71a8e, encrypt: true}
"""


def test_passwords_in_a_network_configuration_are_masked():
    secrets = find_nmstate_secrets(STATE)
    assert mask_secrets("bad: two words, 50b71a8e, identity client", secrets) == "bad: ***, ***, identity client"


def test_configuration_without_passwords_has_no_secrets():
    assert find_nmstate_secrets("interfaces:\n- name: eth1\n") == []
