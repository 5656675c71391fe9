import json

from agent.node.postpivot.secrets import list_secrets
from hostops.runner import mask_secrets
from seeds.reconfiguration import SeedReconfiguration

AUTH = {"auths": {"quay.io": {"auth": "dXNlcjpwYXNzd29yZA==", "email": "me@example.com"}}}
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIG\nAwEHoUQDQg\n-----END EC PRIVATE KEY-----\n"


def read_site():
    serving = {"localhost_signer_private_key": KEY}
    return SeedReconfiguration.parse(
        json.dumps(
            {
                "pull_secret": json.dumps(AUTH),
                "kubeadmin_password_hash": "$2a$10$abcdef",
                "proxy": {"httpProxy": "http://u:secret@p:3128"},
                "server_ssh_keys": [
                    {"file_name": "ssh_host_rsa_key", "file_content": "PRIVATE-RSA"},
                    {"file_name": "ssh_host_rsa_key.pub", "file_content": "ssh-rsa AAAA"},
                ],
                "KubeconfigCryptoRetention": {"KubeAPICrypto": {"ServingCrypto": serving}},
            }
        )
    )


def test_secrets_of_the_site_are_masked_whole_and_in_parts():
    text = (
        "dXNlcjpwYXNzd29yZA== MHcCAQEEIG $2a$10$abcdef http://u:secret@p:3128 PRIVATE-RSA ssh-rsa AAAA me@example.com"
    )
    assert mask_secrets(text, list_secrets(read_site())) == "*** *** *** *** *** ssh-rsa AAAA me@example.com"


def test_damaged_pull_secret_is_masked_whole():
    site = SeedReconfiguration.parse('{"pull_secret":"no json at all"}')
    assert list_secrets(site) == ["no json at all"]
