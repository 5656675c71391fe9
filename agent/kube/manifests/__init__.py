"""Manifests that users hand over: reading them from text, their order, merging them into what exists, applying them."""

from agent.kube.manifests.apply import APPLY_TYPE_ANNOTATION, ApplyError, apply_manifest, read_apply_type
from agent.kube.manifests.decode import decode_config_map, decode_stream, describe_binary_values
from agent.kube.manifests.merge import merge_manifest
from agent.kube.manifests.waves import WAVE_ANNOTATION, WaveError, group_by_wave, read_wave

__all__ = [
    "APPLY_TYPE_ANNOTATION",
    "WAVE_ANNOTATION",
    "ApplyError",
    "WaveError",
    "apply_manifest",
    "decode_config_map",
    "decode_stream",
    "describe_binary_values",
    "group_by_wave",
    "merge_manifest",
    "read_apply_type",
    "read_wave",
]
