"""Waves: what counts as a number, and the order (prep.md 4.4.2)."""

from typing import Any

import pytest

from agent.kube.waves import WaveError, group_by_wave, read_wave


def make(name: str, wave: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {"lca.openshift.io/apply-wave": wave}}}


@pytest.mark.parametrize(
    ("wave", "number"), [("-1", -1), ("+1", 1), ("007", 7), ("2147483648", 2147483648), ("", 2147483647)]
)
def test_read_wave_accepts_signed_decimals(wave: str, number: int) -> None:
    assert read_wave(make("x", wave)) == number


@pytest.mark.parametrize("wave", ["abc", " 1", "1.5", "1_000", "٣", 3, None])
def test_read_wave_refuses_anything_else(wave: Any) -> None:
    with pytest.raises(WaveError, match=r'^error convert: strconv.Atoi: parsing ".*": invalid syntax$'):
        read_wave(make("x", wave))


def test_read_wave_beyond_64_bit_is_out_of_range() -> None:
    with pytest.raises(WaveError, match="value out of range"):
        read_wave(make("x", "9" * 20))


def test_group_by_wave_orders_numerically_then_by_name() -> None:
    waves = {"z": "2", "a": "10", "c": "", "b": "2147483647", "d": "-1", "y": "2"}
    groups = group_by_wave(make(name, wave) for name, wave in waves.items())
    assert [[obj["metadata"]["name"] for obj in group] for group in groups] == [["d"], ["y", "z"], ["a"], ["b", "c"]]
