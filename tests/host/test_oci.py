"""OCI layouts, read by skopeo and GNU tar."""

import json
import subprocess

import pytest

from hostops.oci import TITLE, remove_unknown_blobs, write_image, write_layer
from tests.host.scratchnode import call


def make_layout(folder, **files):
    layout = folder / "layout"
    layout.mkdir()
    layers = []
    for name, content in files.items():
        with write_layer(layout, name, 0o755) as file:
            file.sink.write(content)
        layers.append(file.layer)
    return layout, layers


def find_blob(layout, layer):
    return layout / "blobs" / layer.digest.replace(":", "/")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024 * 1024 + 7])
def test_layer_is_a_tar_with_one_file(tmp_path, size):
    layout, (layer,) = make_layout(tmp_path, content=b"x" * size)
    blob = find_blob(layout, layer)
    assert blob.stat().st_size == layer.size_bytes
    listed = call("tar", "tvf", str(blob)).split()
    assert (listed[0], listed[2], listed[-1]) == ("-rwxr-xr-x", str(size), "content")
    assert subprocess.run(["tar", "xOf", blob], capture_output=True, check=True).stdout == b"x" * size
    assert call("sha256sum", str(blob)).split()[0] == layer.digest.removeprefix("sha256:")


def test_image_is_read_by_skopeo_with_labels_and_titles(tmp_path):
    layout, layers = make_layout(tmp_path, a=b"1", b=b"2")
    digest = write_image(layout, layers, {"key": '{"json":true}'}, author="test")
    inspected = json.loads(call("skopeo", "inspect", f"oci:{layout}:image"))
    assert inspected["Digest"] == digest
    assert inspected["Labels"] == {"key": '{"json":true}'}
    assert inspected["Layers"] == [layer.digest for layer in layers]
    raw = json.loads(call("skopeo", "inspect", "--raw", f"oci:{layout}:image"))
    assert [entry["annotations"][TITLE] for entry in raw["layers"]] == ["a", "b"]


def test_equal_content_at_an_equal_time_has_an_equal_digest(tmp_path):
    digests = set()
    for name in ("first", "second"):
        layout = tmp_path / name
        layout.mkdir()
        with write_layer(layout, "file", created_seconds=0) as file:
            file.sink.write(b"x")
        digests.add(write_image(layout, [file.layer], {}, author="test", created_seconds=0))
    assert len(digests) == 1


def test_interrupted_layer_leaves_nothing(tmp_path):
    layout = tmp_path / "layout"
    layout.mkdir()
    with pytest.raises(ZeroDivisionError), write_layer(layout, "file") as file:
        file.sink.write(b"half" * (1 // 0))
    assert list((layout / "blobs/sha256").iterdir()) == []


def test_unknown_blobs_are_removed(tmp_path):
    layout, layers = make_layout(tmp_path, a=b"1", b=b"2")
    remove_unknown_blobs(layout, layers[:1])
    assert list((layout / "blobs/sha256").iterdir()) == [find_blob(layout, layers[0])]
