from seeds.creation.image_list import choose_images


def test_list_holds_stored_images_recert_and_what_operators_need():
    """B.5: catalogs and images for other platforms are left out, nothing stands twice."""
    stored = [
        *("quay.io/a:1", "quay.io/catalog:1", "registry.redhat.io/redhat/redhat-operator-index:v4.16", "quay.io/a:1"),
        "quay.io/b@sha256:1",
    ]
    related = [
        *("quay.io/b@sha256:1", "quay.io/c-for-gcp:1", "quay.io/d-for-microsoft-azure@sha256:2", "quay.io/e-for-csi:1"),
        *("quay.io/needed:1", ""),
    ]
    images = choose_images(stored, ["quay.io/catalog:1", ""], related, "quay.io/recert:v0")
    assert images == ["quay.io/a:1", "quay.io/b@sha256:1", "quay.io/recert:v0", "quay.io/needed:1"]


def test_recert_image_that_is_stored_is_not_added_again():
    assert choose_images(["quay.io/recert:v0", "quay.io/a:1"], [], [], "quay.io/recert:v0") == [
        "quay.io/recert:v0",
        "quay.io/a:1",
    ]
