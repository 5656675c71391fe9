"""Image clean-up: when, which images, in which order (prep.md 5)."""

import pytest

from agent.ibu.prep.images import Image, plan_cleanup, select_removable

SWITCH = "image-cleanup.lca.openshift.io/on-prep"
THRESHOLD = "image-cleanup.lca.openshift.io/disk-usage-threshold-percent"


@pytest.mark.parametrize(
    ("annotations", "threshold"),
    [
        ({}, 50),
        ({SWITCH: "disabled"}, 50),
        ({SWITCH: "Disabled"}, None),
        ({THRESHOLD: "65"}, 65),
        ({THRESHOLD: "-1"}, -1),
        ({THRESHOLD: "50%"}, None),
        ({THRESHOLD: " 50"}, None),
        ({THRESHOLD: "5_0"}, None),
        ({THRESHOLD: ""}, None),
        ({THRESHOLD: "65", SWITCH: "Disabled"}, None),
    ],
)
def test_plan_cleanup_reads_annotations(annotations: dict[str, str], threshold: int | None) -> None:
    plan = plan_cleanup(annotations)
    assert plan.threshold_percent == threshold
    assert bool(plan.reason) is (threshold is None)


def make_image(image_id: str, *references: str, dangling: bool = False, created: int = 0) -> Image:
    return Image(image_id, references, dangling, created)


def test_select_removable_dangling_then_oldest() -> None:
    images = [
        make_image("young", created=3),
        make_image("old", created=1),
        make_image("young-dangling", created=2, dangling=True),
        make_image("old-dangling", created=1, dangling=True),
    ]
    removable = select_removable(images, in_use=(), pinned=())
    assert [i.image_id for i in removable] == ["old-dangling", "young-dangling", "old", "young"]


def test_select_removable_keeps_pinned_and_used() -> None:
    images = [make_image("pinned"), make_image("by-id"), make_image("by-ref", "q.io/a:1"), make_image("free", "q.io/b")]
    removable = select_removable(images, in_use={"by-id", "q.io/a:1"}, pinned={"pinned"})
    assert [i.image_id for i in removable] == ["free"]


def test_image_parse_treats_null_lists_as_empty() -> None:
    entry = {"Id": "x", "RepoTags": None, "RepoDigests": ["q.io/a@sha256:1"], "Names": ["q.io/a:1"], "Created": 7}
    assert Image.parse(entry) == Image("x", ("q.io/a@sha256:1", "q.io/a:1"), dangling=False, created=7)
