"""One stage, walked without running it: what it will do to files, under which keys, and the config it ends with.

A segment ends with a RUN (or with the stage): the files copied for a command and what it makes of them are one
layer. Its key says all that it depends on: the segment before it, the commands with their variables and user, and the
copied files' contents. So nothing has to run to know what is there already.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paas.builder.dockerfile import words
from paas.builder.dockerfile.parse import Instruction, invalid, parse_line
from paas.builder.dockerfile.plan import Plan, Stage, declared, expanded
from paas.errors import InvalidInput

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
PREDEFINED = frozenset((*_PROXIES, *(name.lower() for name in _PROXIES)))
"""May be given without being declared, and belong to no key."""
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Act:
    """Something done to files: WORKDIR, COPY, ADD or RUN, with what counted when it was written."""

    instruction: Instruction
    env: Mapping[str, str]
    user: str
    folder: str
    shell: tuple[str, ...]
    words: tuple[str, ...] = ()
    """Sources and destination, expanded."""
    arguments: Mapping[str, str] = field(default_factory=dict)

    def canonical(self) -> bytes:
        """All of it, as bytes for a key."""
        it = self.instruction
        heredocs = [(one.name, one.body, one.expands) for one in it.heredocs]
        environment = {name: value for name, value in {**self.arguments, **self.env}.items() if name not in PREDEFINED}
        parts: Sequence[Any] = (
            it.name, it.flags, it.text, it.words, heredocs, self.words, self.user, self.folder, self.shell,
            environment if it.name == "RUN" else {},
        )  # fmt: skip
        return json.dumps(parts, sort_keys=True).encode()


@dataclass(frozen=True)
class Segment:
    """What becomes one layer."""

    key: str
    acts: tuple[Act, ...]

    @property
    def runs(self) -> bool:
        return any(act.instruction.name == "RUN" for act in self.acts)

    @property
    def title(self) -> str:
        """The instruction it is known by."""
        named = [act for act in self.acts if act.instruction.name != "WORKDIR"] or list(self.acts)
        return named[-1].instruction.shown


@dataclass
class Walk:
    """The state of a stage while its instructions go by."""

    plan: Plan
    stage: Stage
    build_args: Mapping[str, str]
    prints: Callable[[Act], bytes]
    """The fingerprint of what an act takes from elsewhere."""
    settings: dict[str, Any]
    """The image's config, as OCI names its parts."""
    key: str
    used: set[str] = field(default_factory=set)
    """Build arguments that were declared."""
    ignored: list[str] = field(default_factory=list)
    """Instructions without effect here."""
    segments: list[Segment] = field(default_factory=list)
    _pending: list[Act] = field(default_factory=list)
    _arguments: dict[str, str] = field(default_factory=dict)
    _has_cmd: bool = False

    def run(self, triggers: Sequence[str]) -> None:
        """All of it; the base's ONBUILD triggers come first."""
        self._arguments = {name: self.build_args[name] for name in PREDEFINED & self.build_args.keys()}
        for text in triggers:
            self._take(parse_line(text, self.stage.line))
        for instruction in self.stage.instructions:
            self._take(instruction)
        self._flush()

    @property
    def env(self) -> dict[str, str]:
        return dict(line.partition("=")[::2] for line in self.settings.get("Env") or ())

    def _take(self, it: Instruction) -> None:
        handler = getattr(self, f"_{it.name.lower()}")
        handler(it)

    def _values(self) -> dict[str, str]:
        return {**self._arguments, **self.env}

    def _expand(self, text: str, it: Instruction) -> str:
        return expanded(text, self._values(), self.plan.escape, it.line)

    def _act(self, it: Instruction, texts: Sequence[str] = ()) -> Act:
        folder, user = self.settings.get("WorkingDir") or "/", str(self.settings.get("User") or "")
        shell = tuple(self.settings.get("Shell") or _SHELL)
        return Act(it, self.env, user, folder, shell, tuple(texts), dict(self._arguments))

    def _append(self, act: Act) -> None:
        self._pending.append(act)
        if act.instruction.name == "RUN":
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        found = hashlib.sha256(self.key.encode())
        for act in self._pending:
            found.update(act.canonical() + b"\0" + self.prints(act))
        self.key = found.hexdigest()
        self.segments.append(Segment(self.key, tuple(self._pending)))
        self._pending.clear()

    def _run(self, it: Instruction) -> None:
        self._append(self._act(it))

    def _copy(self, it: Instruction) -> None:
        raw = list(it.words) if it.words is not None else words.split(it.text, self.plan.escape)
        texts = [self._expand(word, it) for word in raw]
        if len(texts) < 2:
            raise invalid(it.line, f"{it.name} takes sources and a destination")
        flags = tuple((name, self._expand(value, it)) for name, value in it.flags)
        self._append(self._act(Instruction(it.name, it.text, it.line, flags, it.words, it.heredocs), texts))

    _add = _copy

    def _workdir(self, it: Instruction) -> None:
        folder = posixpath.normpath(posixpath.join(self.settings.get("WorkingDir") or "/", self._expand(it.text, it)))
        self.settings["WorkingDir"] = folder if folder.startswith("/") else f"/{folder}"
        self._append(self._act(it))

    def _arg(self, it: Instruction) -> None:
        found = declared(it, self._values(), self.build_args, self.plan.arguments, self.plan.escape)
        self.used |= {word.partition("=")[0] for word in words.split(it.text, self.plan.escape)}
        self._arguments |= found

    def _env(self, it: Instruction) -> None:
        env = self.env | dict(self._pairs(it))
        self.settings["Env"] = [f"{name}={value}" for name, value in env.items()]

    def _label(self, it: Instruction) -> None:
        self.settings["Labels"] = {**(self.settings.get("Labels") or {}), **dict(self._pairs(it))}

    def _pairs(self, it: Instruction) -> list[tuple[str, str]]:
        try:
            return words.pairs(it.text, self._values(), self.plan.escape)
        except InvalidInput as error:
            raise invalid(it.line, error.message) from error

    def _user(self, it: Instruction) -> None:
        self.settings["User"] = self._expand(it.text, it)

    def _shell(self, it: Instruction) -> None:
        if not it.words:
            raise invalid(it.line, 'SHELL takes a list such as ["/bin/bash", "-c"]')
        self.settings["Shell"] = list(it.words)

    def _cmd(self, it: Instruction) -> None:
        self.settings["Cmd"] = self._command(it)
        self._has_cmd = True

    def _entrypoint(self, it: Instruction) -> None:
        self.settings["Entrypoint"] = self._command(it)
        if not self._has_cmd:
            self.settings.pop("Cmd", None)

    def _command(self, it: Instruction) -> list[str]:
        return list(it.words) if it.words is not None else [*(self.settings.get("Shell") or _SHELL), it.text]

    def _expose(self, it: Instruction) -> None:
        ports = [self._expand(word, it) for word in words.split(it.text, self.plan.escape)]
        named: dict[str, Any] = {port if "/" in port else f"{port}/tcp": {} for port in ports}
        self.settings["ExposedPorts"] = {**(self.settings.get("ExposedPorts") or {}), **named}

    def _stopsignal(self, it: Instruction) -> None:
        self.settings["StopSignal"] = self._expand(it.text, it)

    def _without_effect(self, it: Instruction) -> None:
        self.ignored.append(it.name)

    _healthcheck = _volume = _onbuild = _maintainer = _without_effect
