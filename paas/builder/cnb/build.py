"""The buildpacks of the chosen group, one after another, each with what those before it have to offer."""

from __future__ import annotations

from dataclasses import dataclass

from paas.builder import messages as common
from paas.builder.cnb import collecting, environment, messages, plans
from paas.builder.cnb.descriptors import Descriptor
from paas.builder.cnb.outputs import Output
from paas.builder.cnb.plans import Plan
from paas.builder.cnb.running import LAYERS, PLATFORM, STAMP, WORK, Session
from paas.builder.cnb.store import Buildpack, Store

STAGE = "build"
_STAMPED = 'umask 022; : > "$1"; shift; exec "$@"'
"""What is newer than the stamp was written by this buildpack."""


@dataclass(frozen=True)
class Built:
    """One buildpack and its output."""

    pack: Descriptor
    output: Output


def run(session: Session, plan: Plan, store: Store) -> tuple[Built, ...]:
    """All of them. Raises BuildFailed."""
    found: list[Built] = []
    env = dict(session.image_env)
    for place, ref in enumerate(plan.group):
        pack = store.get(ref)
        session.put({f"{WORK}/build/{place}.toml": plans.render(plan.of(ref.id))})
        session.job.say(common.step(f"{pack.descriptor.name or pack.descriptor.id} {pack.descriptor.version}"))
        _build(session, pack, env, f"{WORK}/build/{place}.toml")
        output = collecting.collect(session, pack.descriptor, place)
        collecting.rename_ignored(session, pack.descriptor, output)
        env = environment.after(env, (layer.files for layer in output.layers if layer.build and layer.has_content))
        plan = plan.after(ref.id, output.unmet)
        found.append(Built(pack.descriptor, output))
    return tuple(found)


def _build(session: Session, pack: Buildpack, env: dict[str, str], plan: str) -> None:
    root, layers = f"/{pack.place}", f"{LAYERS}/{pack.descriptor.escaped}"
    own = {
        "CNB_BUILDPACK_DIR": root,
        "CNB_PLATFORM_DIR": PLATFORM,
        "CNB_LAYERS_DIR": layers,
        "CNB_BP_PLAN_PATH": plan,
        "CNB_EXEC_ENV": "production",
    }
    given = session.env(env, own, clear=pack.descriptor.clear_env)
    argv = ("/bin/sh", "-c", _STAMPED, "sh", STAMP, f"{root}/bin/build", layers, PLATFORM, plan)
    code, last = session.run(argv, given, STAGE, lambda line: session.job.say(common.detail(line)))
    if code:
        raise messages.build_failed(str(pack.descriptor), code, last)
