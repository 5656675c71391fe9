import pytest

from seeds.creation.push_access import check_auth, strip_tag


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("quay.io/org/seed:4.16.1", "quay.io/org/seed"),
        ("quay.io/org/seed", "quay.io/org/seed"),
        ("localhost:5000/seed", "localhost:5000/seed"),
        ("localhost:5000/seed:1", "localhost:5000/seed"),
        ("quay.io/seed@sha256:abc", "quay.io/seed"),
        ("quay.io/seed:1@sha256:abc", "quay.io/seed"),
        ("seed:1", "seed"),
    ],
)
def test_repository_is_the_name_without_tag_and_digest(image, repository):
    assert strip_tag(image) == repository


@pytest.mark.parametrize("content", [b"", b"secret", b"[]", b"{}", b'{"auths": []}', b"null"])
def test_other_content_than_an_auth_file_is_refused_without_repeating_it(content):
    problem = check_auth(content)
    assert problem
    assert "secret" not in problem


def test_auth_file_is_accepted():
    assert check_auth(b'{"auths":{"quay.io":{"auth":"eDp5"}}}') is None
    assert check_auth(b'{"auths":{}}') is None
