"""The CEL rules of the generated CRDs, evaluated by a library as an API server would."""

from collections.abc import Callable
from pathlib import Path

import celpy
import yaml

import crds
from crds.base import Object

Judge = Callable[..., list[tuple[int, str]]]


class Rules:
    """The CEL rules of one schema node; `judge` gives number and message of every rule that refuses a request."""

    def __init__(self, schema: Object) -> None:
        env = celpy.Environment()
        self.rules = [(r["rule"], r["message"]) for r in schema["x-kubernetes-validations"]]
        self.programs = [env.program(env.compile(rule)) for rule, _ in self.rules]

    def judge(self, new: Object, old: Object | None = None) -> list[tuple[int, str]]:
        """Create when there is no old object: rules that mention oldSelf are then skipped, as on the API server."""
        refusals = []
        for number, ((rule, message), program) in enumerate(zip(self.rules, self.programs, strict=True), start=1):
            if old is None and "oldSelf" in rule:
                continue
            try:
                accepted = program.evaluate(celpy.json_to_cel({"self": new, "oldSelf": old or {}}))
            except celpy.CELEvalError:
                refusals.append((number, "evaluation error"))
            else:
                refusals += [] if accepted else [(number, message)]
        return refusals


def read_schema(name: str) -> Object:
    document = yaml.safe_load((Path(crds.__file__).parent / name).read_text())
    schema: Object = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
