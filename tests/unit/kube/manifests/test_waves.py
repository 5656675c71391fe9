"""The order of manifests (prep.md 4.4.2)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.kube.manifests import WAVE_ANNOTATION, WaveError, group_by_wave, read_wave


def manifest(name: Any, wave: Any = None, **annotations: Any) -> dict[str, Any]:
    given = {WAVE_ANNOTATION: wave, **annotations} if wave is not None else annotations
    return {"kind": "X", "metadata": {"name": name, "annotations": given}}


@pytest.mark.parametrize(
    ("text", "wave"),
    [("1", 1), ("-1", -1), ("+1", 1), ("007", 7), ("", 2147483647), ("9223372036854775807", 2**63 - 1)],
)
def test_wave_is_read(text: str, wave: int) -> None:
    assert read_wave(manifest("a", text)) == wave


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {"annotations": None}}, manifest("a")])
def test_wave_left_out_is_the_last(obj: dict[str, Any]) -> None:
    assert read_wave(obj) == 2147483647


def test_annotations_that_are_no_texts_hide_the_wave() -> None:
    assert read_wave(manifest("a", "1", other=True)) == 2147483647


@pytest.mark.parametrize("text", [" 1", "1.5", "1_000", "x", "\u0661", "0x1", "--1", "1\n"])
def test_wave_that_is_no_integer_is_an_error(text: str) -> None:
    with pytest.raises(WaveError) as caught:
        read_wave(manifest("a", text))
    assert str(caught.value) == f'error convert: strconv.Atoi: parsing "{text}": invalid syntax'


@pytest.mark.parametrize("text", ["9223372036854775808", "9" * 5000])
def test_wave_beyond_64_bit_is_an_error(text: str) -> None:
    with pytest.raises(WaveError, match="value out of range$"):
        read_wave(manifest("a", text))


def test_groups_are_in_order_of_wave_then_name() -> None:
    objects = [manifest("late"), manifest("b", "2"), manifest("a", "2"), manifest("z", "-1"), manifest(None, "2")]
    groups = [[obj["metadata"]["name"] for obj in group] for group in group_by_wave(objects)]
    assert groups == [["z"], [None, "a", "b"], ["late"]]
