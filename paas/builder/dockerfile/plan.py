"""Which stages a Dockerfile has, and which of them its target needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paas.builder.dockerfile import words
from paas.builder.dockerfile.parse import Instruction, Parsed, invalid
from paas.errors import BuildFailed, InvalidInput

SCRATCH = "scratch"


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next."""

    index: int
    name: str
    base: str
    """An image's reference, `scratch`, or the name of an earlier stage."""
    line: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Plan:
    """The stages, and what is known before the first of them."""

    stages: tuple[Stage, ...]
    target: Stage
    arguments: Mapping[str, str]
    """Declared before the first FROM."""
    escape: str

    def stage(self, name: str, before: int) -> Stage | None:
        """An earlier stage by its name or number; None where it is an image's reference."""
        for stage in self.stages[:before]:
            if name.lower() == stage.name.lower() and stage.name:
                return stage
        is_number = name.isdecimal() and int(name) < before
        return self.stages[int(name)] if is_number else None


def plan(parsed: Parsed, build_args: Mapping[str, str], target: str, architecture: str) -> Plan:
    """The stages of a Dockerfile. Raises BuildFailed."""
    arguments = _platform(architecture)
    stages: list[Stage] = []
    body: list[Instruction] = []
    for instruction in parsed.instructions:
        if instruction.name == "FROM":
            _close(stages, body)
            stages.append(_stage(instruction, len(stages), arguments, parsed.escape))
        elif stages:
            body.append(instruction)
        elif instruction.name == "ARG":
            arguments |= declared(instruction, arguments, build_args, arguments, parsed.escape)
        else:
            raise invalid(instruction.line, f"{instruction.name} before the first FROM")
    _close(stages, body)
    if not stages:
        raise invalid(1, "it has no FROM")
    return Plan(tuple(stages), _target(stages, target), arguments, parsed.escape)


def declared(
    instruction: Instruction,
    values: Mapping[str, str],
    build_args: Mapping[str, str],
    outer: Mapping[str, str],
    escape: str,
) -> dict[str, str]:
    """The variables that an ARG declares and that have a value."""
    found: dict[str, str] = {}
    for word in words.split(instruction.text, escape):
        name, equals, default = word.partition("=")
        if name in build_args:
            found[name] = build_args[name]
        elif equals:
            found[name] = expanded(default, {**values, **found}, escape, instruction.line)
        elif name in outer:
            found[name] = outer[name]
    return found


def expanded(text: str, values: Mapping[str, str], escape: str, line: int) -> str:
    """A text with its variables. Raises BuildFailed naming the line."""
    try:
        return words.expand(text, values, escape)
    except InvalidInput as error:
        raise invalid(line, error.message) from error


def _close(stages: list[Stage], body: list[Instruction]) -> None:
    if stages:
        last = stages[-1]
        stages[-1] = Stage(last.index, last.name, last.base, last.line, tuple(body))
    body.clear()


def _stage(instruction: Instruction, index: int, arguments: Mapping[str, str], escape: str) -> Stage:
    parts = [expanded(word, arguments, escape, instruction.line) for word in words.split(instruction.text, escape)]
    if len(parts) == 3 and parts[1].lower() == "as":
        return Stage(index, parts[2], parts[0], instruction.line, ())
    if len(parts) != 1 or not parts[0]:
        raise invalid(instruction.line, "FROM takes IMAGE or IMAGE AS NAME; is a variable of it empty?")
    return Stage(index, "", parts[0], instruction.line, ())


def _target(stages: list[Stage], target: str) -> Stage:
    if not target:
        return stages[-1]
    for stage in stages:
        if stage.name.lower() == target.lower():
            return stage
    names = ", ".join(stage.name for stage in stages if stage.name) or "none has a name"
    raise BuildFailed(
        f"the Dockerfile has no stage {target!r}",
        reason="InvalidDockerfile",
        stage="detect",
        hint=f"Its stages: {names}. Set one with: paasctl builds settings target=NAME",
    )


def _platform(architecture: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for side in ("BUILD", "TARGET"):
        found |= {f"{side}PLATFORM": f"linux/{architecture}", f"{side}OS": "linux", f"{side}ARCH": architecture}
        found[f"{side}VARIANT"] = ""
    return found
