"""Programs of buildpacks in the sandbox, never as root, and the sandbox's folders, which are made once."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from paas.builder import messages, sandboxed
from paas.builder.cnb.environment import with_user
from paas.builder.cnb.outputs import APP
from paas.builder.job import Job
from paas.builder.split import APP_USER
from paas.errors import NotFound
from paas.oci.archive import EPOCH, Entry, TarWriter
from paas.ports import Sandbox, SandboxOutOfMemory, SandboxTimeout

LAYERS, PLATFORM, WORK = "/layers", "/platform", "/tmp/cnb"  # noqa: S108 - inside the sandbox
STAMP = f"{WORK}/stamp/began"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Session:
    """The one sandbox of a build."""

    job: Job
    sandbox: Sandbox
    user_env: Mapping[str, str]

    @property
    def image_env(self) -> Mapping[str, str]:
        return {"PATH": _PATH, **self.job.bases.build.image.env}

    def env(self, env: Mapping[str, str], own: Mapping[str, str], *, clear: bool) -> dict[str, str]:
        """What differs from the image's, which the sandbox has already."""
        whole = dict(env) if clear else with_user(env, self.user_env)
        changed = {name: value for name, value in whole.items() if self.image_env.get(name) != value}
        return {"SOURCE_DATE_EPOCH": str(EPOCH), **changed, **self._target(), **own}

    def run(
        self, argv: tuple[str, ...], env: Mapping[str, str], stage: str, say: Callable[[str], None]
    ) -> tuple[int, list[str]]:
        """Its exit code and last lines. Raises BuildFailed where a limit ended it."""
        last: deque[str] = deque(maxlen=sandboxed.LAST_LINES)
        job = self.job
        try:
            code = self.sandbox.run(argv, env, sandboxed.relay(job, last, say), folder=APP)
        except SandboxTimeout as error:
            raise messages.timed_out(stage, job.tools.limits, last) from error
        except SandboxOutOfMemory as error:
            raise messages.out_of_memory(stage, job.tools.limits, last) from error
        job.tools.check()
        return code, list(last)

    def put(self, files: Mapping[str, bytes | None], owner: int = 0) -> None:
        """Small files and folders (None) by absolute path; folders above them are there or come before."""
        out = bytearray()
        writer = TarWriter(out.extend)
        for path, body in files.items():
            name = path.strip("/")
            if body is None:
                writer.add(Entry(name, "dir", 0o775 if owner else 0o755, uid=owner))
            else:
                writer.add(Entry(name, "file", 0o664 if owner else 0o644, len(body), uid=owner), io.BytesIO(body))
        writer.close()
        self.sandbox.put(iter([bytes(out)]), "/")

    def read(self, path: str, most: int) -> dict[str, bytes | str | None]:
        """What lies below a folder: files' contents, None for folders, the kind of anything else.

        Raises ValueError where it is more than so many bytes.
        """
        head = f"{path.strip('/')}/"
        found: dict[str, bytes | str | None] = {}
        with closing(self.sandbox.read(path)) as entries:
            for entry, body in entries:
                most -= entry.size + 100
                if most < 0:
                    raise ValueError("more than can be read")
                name = entry.path.removeprefix(head)
                if entry.path.startswith(head):
                    found[name] = body.read() if entry.kind == "file" else None if entry.kind == "dir" else entry.kind
        return found

    def _target(self) -> dict[str, str]:
        config, env = self.job.bases.run.image.config, self.image_env
        found = {"OS": config["os"], "ARCH": config["architecture"], "ARCH_VARIANT": config.get("variant", "")}
        labels = self.job.bases.run.image.labels
        for name in ("DISTRO_NAME", "DISTRO_VERSION"):
            label = labels.get(f"io.buildpacks.base.{name.lower().replace('_', '.')}", "")
            found[name] = env.get(f"CNB_TARGET_{name}", label)
        return {f"CNB_TARGET_{name}": str(value) for name, value in found.items() if value}


def folders(session: Session, names: Iterable[str], count: int) -> None:
    """What every phase needs; `names`: escaped ids, `count`: of buildpacks."""
    session.put({WORK: None, PLATFORM: None, f"{PLATFORM}/env": None, f"{WORK}/build": None, f"{WORK}/out": None})
    if session.user_env:
        session.put({f"{PLATFORM}/env/{name}": value.encode() for name, value in session.user_env.items()})
    own: dict[str, bytes | None] = {f"{WORK}/detect": None, f"{WORK}/stamp": None, LAYERS: None}
    own |= {f"{LAYERS}/{name}": None for name in names}
    own |= {f"{WORK}/out/{place}": None for place in range(count)}
    session.put(own, APP_USER)


def launcher(session: Session) -> bytes | None:
    """The build image's launcher."""
    try:
        with closing(session.sandbox.read("/cnb/lifecycle/launcher")) as entries:
            for entry, body in entries:
                return body.read() if entry.kind == "file" else None
    except NotFound:
        pass
    return None
