"""Which group of buildpacks builds the source: their `bin/detect` decide, then the build plan.

A buildpack is asked once, whatever number of groups it is in. What it printed is told only where nothing fits, for
nobody wants to read why a buildpack for another language did not like the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from paas.builder import messages as common
from paas.builder.cnb import messages, plans
from paas.builder.cnb.descriptors import Group, Ref, Target
from paas.builder.cnb.plans import Plan, Section
from paas.builder.cnb.running import PLATFORM, WORK, Session
from paas.builder.cnb.store import Store
from paas.builder.split import APP_USER

STAGE = "detect"
PASS, FAIL = 0, 100
_MISSING = (126, 127)
_MAX = 8 << 20


@dataclass
class _Asked:
    """What the buildpacks said so far."""

    codes: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    plans: dict[str, tuple[Section, ...]] = field(default_factory=dict)


def select(session: Session, groups: Sequence[Group], store: Store) -> Plan:
    """The first group that fits, and its plan. Raises BuildFailed."""
    asked, image = _Asked(), target(session)
    for number, group in enumerate(groups, 1):
        found = _try(session, group, store, image, asked)
        if isinstance(found, Plan):
            for line in [f"{ref}" for ref in found.group]:
                session.job.say(common.detail(line))
            return found
        asked.lines.append(f"group {number}: {found}")
    for line in asked.lines[-60:]:
        session.job.say(common.detail(line))
    had_errors = any(code not in (PASS, FAIL) for code in asked.codes.values())
    raise messages.no_group(asked.lines[-30:], had_errors=had_errors)


def target(session: Session) -> Target:
    """What the images are, for `[[targets]]`."""
    env = session.env({}, {}, clear=True)
    distro = (env.get("CNB_TARGET_DISTRO_NAME", ""), env.get("CNB_TARGET_DISTRO_VERSION", ""))
    return Target(env["CNB_TARGET_OS"], env["CNB_TARGET_ARCH"], env.get("CNB_TARGET_ARCH_VARIANT", ""), (distro,))


def _try(session: Session, group: Group, store: Store, image: Target, asked: _Asked) -> Plan | str:
    passed = []
    for ref in group:
        code = _ask(session, ref, store, image, asked)
        if code == PASS:
            passed.append(ref)
        elif not ref.optional:
            return f"{ref} {'does not fit' if code == FAIL else f'failed with exit code {code}'}"
    if not passed:
        return "none of its buildpacks fits"
    return plans.solve(tuple(passed), {ref.id: _plan(session, ref, asked) for ref in passed})


def _ask(session: Session, ref: Ref, store: Store, image: Target, asked: _Asked) -> int:
    key = f"{ref.id}@{ref.version}"
    if key not in asked.codes:
        asked.codes[key] = _detect(session, ref, store, image, asked, key)
    return asked.codes[key]


def _detect(session: Session, ref: Ref, store: Store, image: Target, asked: _Asked, key: str) -> int:
    pack = store.get(ref)
    if not pack.descriptor.fits(image):
        asked.lines.append(f"{key}: is for another system than {image.os}/{image.arch}")
        return FAIL
    root = f"/{pack.place}"
    folder = _folder(ref, pack.descriptor.escaped)
    session.put({folder: None, f"{folder}/plan.toml": b""}, APP_USER)
    own = {
        "CNB_BUILDPACK_DIR": root,
        "CNB_PLATFORM_DIR": PLATFORM,
        "CNB_BUILD_PLAN_PATH": f"{folder}/plan.toml",
        "CNB_EXEC_ENV": "production",
    }
    env = session.env(session.image_env, own, clear=pack.descriptor.clear_env)
    argv = (f"{root}/bin/detect", PLATFORM, f"{folder}/plan.toml")
    code, lines = session.run(argv, env, STAGE, lambda line: None)
    if code:
        asked.lines += [f"{key}: {line}" for line in lines]
        asked.lines.append(
            f"{key}: " + ("has no bin/detect" if code in _MISSING and not lines else f"exit code {code}")
        )
    return code


def _plan(session: Session, ref: Ref, asked: _Asked) -> tuple[Section, ...]:
    key = f"{ref.id}@{ref.version}"
    if key not in asked.plans:
        folder = _folder(ref, ref.id.replace("/", "_"))
        try:
            found = session.read(folder, _MAX).get("plan.toml", b"")
        except ValueError as error:
            raise messages.invalid_output(key, f"a build plan of {error}", STAGE) from None
        if not isinstance(found, bytes):
            raise messages.invalid_output(key, "a build plan that is no file", STAGE)
        asked.plans[key] = plans.parse(found, key)
    return asked.plans[key]


def _folder(ref: Ref, escaped: str) -> str:
    return f"{WORK}/detect/{escaped}-{ref.version}"
