"""Reads the Backups and Restores from the ConfigMaps of `spec.oadpContent` (upgrade-and-oadp.md 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.kube import Client, Object, errors
from agent.kube.manifests import decode_config_map, describe_binary_values
from agent.velero.content import Content, find_flaws, select_content
from agent.velero.messages import READING_BACKUPS_FAILED
from agent.velero.names import CONFIG_MAP


class Reference(Protocol):
    """Names a ConfigMap; equal references are equal."""

    @property
    def name(self) -> str:
        """Name of the ConfigMap."""

    @property
    def namespace(self) -> str:
        """Namespace of the ConfigMap."""


class ContentError(Exception):
    """The content can not be used until somebody corrects it.

    `problems` are the single texts; the whole is what an upgrade shows (upgrade-and-oadp.md 14).
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(READING_BACKUPS_FAILED + "; ".join(problems))
        self.problems = tuple(problems)


def read_content(client: Client, references: Iterable[Reference]) -> Content:
    """Return the Backups and Restores of all ConfigMaps, each ConfigMap read once.

    Raises ContentError with everything that is wrong: a ConfigMap is missing, a document can not be read, an object
    could never be used. Raises transient ApiErrors.
    """
    found = collect_content(client, references)
    if problems := [*found.problems, *find_flaws(found.content)]:
        raise ContentError(problems)
    return found.content


@dataclass(frozen=True, slots=True)
class Collected:
    """What can be read, a text for each ConfigMap or document that can not, and one for what is not looked at."""

    content: Content
    problems: list[str]
    warnings: list[str]


def collect_content(client: Client, references: Iterable[Reference]) -> Collected:
    """Read the ConfigMaps. Raises transient ApiErrors."""
    objects: list[Object] = []
    problems: list[str] = []
    warnings: list[str] = []
    for reference in dict.fromkeys(references):
        try:
            config_map = client.get(CONFIG_MAP, reference.name, reference.namespace)
        except errors.NotFound as error:
            problems.append(
                f"OADP configmap not found, error: failed to get configMap {error}. Please create the configmap."
            )
        except (errors.Transient, errors.Closed):
            raise
        except errors.ApiError as error:
            problems.append(f"failed to oadp configMaps: failed to get configMap {error}")
        else:
            found, wrong = decode_config_map(config_map)
            objects += found
            problems += [f"failed to decode file: {problem}" for problem in wrong]
            warnings += describe_binary_values(config_map)
    return Collected(select_content(objects), problems, warnings)
