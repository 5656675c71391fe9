"""Writes the CRD YAML from the models: `python -m crds.generate`, or `--check` to fail on a difference.

Two files per kind. `crds/<kind>.yaml` holds everything. `crds/legacy/<kind>.yaml` leaves out the CEL rules, for API
servers older than 1.25: such a server would drop the rules silently, but kubectl, old or new, compares the file with
that server's OpenAPI document first and refuses the unknown field unless the user turns the comparison off. Nothing in
one file can satisfy both kinds of server, so the file is chosen by server version (docs/crds.md). On the older server
the controller's own check of stage transitions remains.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from crds.base import CustomResource, Object
from crds.imagebasedupgrade import ImageBasedUpgrade
from crds.seedgenerator import SeedGenerator

MODELS: tuple[type[CustomResource], ...] = (ImageBasedUpgrade, SeedGenerator)
FOLDER = Path(__file__).parent


class _StructuralSchema(GenerateJsonSchema):
    """pydantic's JSON schema in the form that a CRD allows: no null, no defaults; optional means not required."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        result.pop("additionalProperties", None)
        if rules := schema["cls"].rules:
            result["x-kubernetes-validations"] = [rule.to_object() for rule in rules]
        return result

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {"type": "string", "enum": [member.value for member in schema["members"]]}

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        return super().tuple_schema(schema) | {"x-kubernetes-list-type": "atomic"}


def _inline(schema: Any, definitions: Object) -> Any:
    """Put definitions in the place of references, below what stands beside a reference (a description); drop titles."""
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = target | {key: value for key, value in schema.items() if key != "$ref"}
    # A title is a text; a field that is *named* title is a schema.
    return {k: _inline(v, definitions) for k, v in schema.items() if k != "title" or not isinstance(v, str)}


def _without_rules(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_rules(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _without_rules(value) for key, value in schema.items() if key != "x-kubernetes-validations"}
    return schema


def build_schema(model: type[CustomResource]) -> Object:
    """The structural schema of a kind; metadata is left to the API server, as it must be."""
    schema = model.model_json_schema(schema_generator=_StructuralSchema)
    schema["properties"]["metadata"] = {"type": "object"}
    result: Object = _inline({key: value for key, value in schema.items() if key != "$defs"}, schema["$defs"])
    return result


def build_crd(model: type[CustomResource], *, rules: bool = True) -> Object:
    """The CustomResourceDefinition of a kind, with or without its CEL rules."""
    definition = model.definition
    schema = build_schema(model)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{definition.group}"},
        "spec": {
            "group": definition.group,
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": list(definition.short_names),
            },
            "scope": definition.scope,
            "versions": [
                {
                    "name": definition.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.to_object() for column in definition.columns],
                    "schema": {"openAPIV3Schema": schema if rules else _without_rules(schema)},
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes multi-line texts as blocks, so that a CEL rule reads like one."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def render_files() -> Iterator[tuple[Path, str]]:
    """Path and content of every generated file."""
    for model in MODELS:
        name = f"{model.definition.kind.lower()}.yaml"
        for path, rules in ((FOLDER / name, True), (FOLDER / "legacy" / name, False)):
            head = f"# Generated from crds/{name.removesuffix('.yaml')}.py by `make crds`; do not edit.\n"
            yield path, head + yaml.dump(build_crd(model, rules=rules), Dumper=_Dumper, width=120)


def main(argv: list[str] | None = None) -> int:
    """Write the files, or with `--check` print how they differ from the models; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m crds.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not up to date")
    check = parser.parse_args(argv).check
    stale = 0
    for path, wanted in render_files():
        found = path.read_text() if path.exists() else ""
        if found == wanted:
            continue
        stale += 1
        if check:
            name = str(path.relative_to(FOLDER.parent))
            diff = difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), name, f"{name} from the model")
            sys.stderr.writelines(diff)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted)
    if check and stale:
        sys.stderr.write(f"crds: {stale} generated files are not up to date; run `make crds`\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
