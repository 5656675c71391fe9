from hostops.imagecleanup import choose_candidates
from hostops.podman import StoredImage


def image(name: str, created: int, *, dangling: bool = False) -> StoredImage:
    return StoredImage(
        id=f"id-{name}", created=created, dangling=dangling, digests=(f"q/{name}@d",), names=(f"q/{name}:1",)
    )


def candidates(images, in_use=(), pinned=()):
    return [item.id for item in choose_candidates(images, set(in_use), set(pinned))]


def test_candidates_are_dangling_first_then_old_to_new():
    images = [
        image("new", 9),
        image("old", 1),
        image("dangling-new", 8, dangling=True),
        image("dangling-old", 2, dangling=True),
    ]
    assert candidates(images) == ["id-dangling-old", "id-dangling-new", "id-old", "id-new"]


def test_candidates_exclude_what_any_reference_says_is_used():
    images = [image("a", 1), image("b", 2), image("c", 3), image("free", 4)]
    assert candidates(images, in_use=["id-a", "q/b:1", "q/c@d"]) == ["id-free"]


def test_candidates_exclude_pinned_ids_but_not_pinned_names():
    assert candidates([image("a", 1), image("b", 2)], pinned=["id-a", "q/b:1"]) == ["id-b"]
