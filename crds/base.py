"""What every custom resource model shares: reading, writing, and the facts that its CRD states beside the schema.

Reading is tolerant, because an object may come from another version on the other side of a reboot: unknown fields are
kept and `null` counts as absent. Writing emits every field under its API name, never `null`, and leaves out optional
fields that are empty strings or lists; empty objects stay: `autoRollbackOnFailure: {}` is not the same as none.
Models are frozen: a changed status is a new one (`model_copy(update=...)`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_serializer, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core.core_schema import SerializerFunctionWrapHandler

Object: TypeAlias = dict[str, Any]


def to_utc_second(value: datetime) -> datetime:
    """Cut to whole seconds in UTC; a time without a zone, as YAML may hold one, is UTC."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.replace(microsecond=0)


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, the only form of a time in the API: `2024-06-26T03:27:05Z`."""
    return to_utc_second(value).isoformat().removesuffix("+00:00") + "Z"


Time = Annotated[datetime, AfterValidator(to_utc_second), PlainSerializer(format_time, return_type=str)]
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule (`x-kubernetes-validations`) of the object whose model carries it: one of `any_of` must hold."""

    message: str
    any_of: tuple[str, ...]

    def to_object(self) -> Object:
        return {"message": self.message, "rule": "\n|| ".join(self.any_of)}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that `kubectl get` prints."""

    name: str
    path: str
    type: Literal["string", "date", "integer"] = "string"

    def to_object(self) -> Object:
        return {"name": self.name, "jsonPath": self.path, "type": self.type}


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says about a kind besides its schema."""

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...]
    scope: Literal["Cluster", "Namespaced"]
    columns: tuple[Column, ...]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"


class K8sModel(BaseModel):
    """A part of an API object; see the module's text for the rules of reading and writing."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="allow",
        frozen=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_null_as_absent(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data

    @model_serializer(mode="wrap")
    def _write_without_empties(self, write: SerializerFunctionWrapHandler) -> Object:
        optional = {field.alias for field in type(self).model_fields.values() if not field.is_required()}
        return {key: value for key, value in write(self).items() if key not in optional or value not in (None, "", [])}

    @classmethod
    def read(cls, raw: Object) -> Self:
        """The model of a JSON or YAML object; raises `pydantic.ValidationError` when a known field has a wrong type."""
        return cls.model_validate(raw)

    def write(self) -> Object:
        """The JSON object: what was read or set, unknown fields included."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ObjectMeta(K8sModel):
    """The part of an object's metadata that is read here."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class CustomResource(K8sModel):
    """A whole object of a kind that we define; subclasses add `spec` and `status`."""

    definition: ClassVar[Definition]

    api_version: str = ""
    """Version of the API that this object is written in, as group/version."""

    kind: str = ""
    """Kind of this object."""

    metadata: ObjectMeta = ObjectMeta()
    """Standard metadata of an object."""


class Condition(K8sModel):
    """One observation about the object's state."""

    last_transition_time: Time
    """When the condition last changed its status or its place in the list, in UTC."""

    message: Annotated[str, Field(max_length=32768)]
    """Details for people; may be empty."""

    observed_generation: Annotated[Int64, Field(ge=0)] = 0
    """The object's metadata.generation that this condition is based on. If it is smaller than the current one, the
    condition may be outdated."""

    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why the condition is as it is, as one word for programs."""

    status: Literal["True", "False", "Unknown"]
    """Whether the condition holds."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    """What is observed, in CamelCase; at most one condition per type."""
