"""What `paas doctor` looks at: each part is asked to do its work, not only whether its process is there."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas import programs
from paas.bootstrap import engine, token_source
from paas.drivers.docker.haproxy import Master
from paas.errors import Conflict, PaasError, Unavailable
from paas.oci.registry import Registry
from paas.ops import asking, state, supervisor
from paas.settings import Settings

START = "Start the platform with `make up`."
CANARY = "canary"
_CANARY_SECONDS = 10.0
_VERSION_SECONDS = 10.0
_FREE_PERCENT = 10


@dataclass(frozen=True)
class Check:
    """One part: is it up, which version, and what to do if not."""

    name: str
    ok: bool
    version: str
    detail: str
    remedy: str


def engine_(settings: Settings) -> tuple[str, str]:
    with engine(settings).door("tell its version") as api:
        found = api.version()
    return found["Version"], f"API {found['ApiVersion']}, {settings.docker_host}"


def redis_(settings: Settings) -> tuple[str, str]:
    import redis

    client = redis.Redis.from_url(settings.redis, socket_timeout=5, socket_connect_timeout=2)
    try:
        version: Any = client.info("server")
        policy: Any = client.config_get("maxmemory-policy")
    except redis.RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}") from error
    finally:
        client.close()
    if policy.get("maxmemory-policy") != "noeviction":
        raise Conflict("Redis may throw queued work away", hint="Set its maxmemory-policy to noeviction.")
    return version["redis_version"], settings.redis if settings.redis_url else "unix socket"


def registry(settings: Settings) -> tuple[str, str]:
    with Registry(settings.registry_url, token_source(settings), timeout=5, patience=0) as client:
        client.ping()
    return _version("docker-registry", "--version"), settings.registry_host


def router(settings: Settings) -> tuple[str, str]:
    Master(settings.run_folder / "haproxy-master.sock", timeout=5).workers()
    asking.get(settings, "nothing-here.invalid")
    return _version("haproxy", "-v"), f"{settings.bind}:{settings.port}"


def web(settings: Settings) -> tuple[str, str]:
    status, body = asking.get(settings, settings.api_host, "/api/v1/healthz")
    if status != 200:
        raise Unavailable(f"{settings.api_url} answers {status}: {body[:100]}")
    return _own_version(), settings.api_url


def worker(settings: Settings) -> tuple[str, str]:
    """A task goes through Redis to a worker and does something."""
    from kombu.exceptions import OperationalError

    from paas.jobs import make_celery

    word, path, began = secrets.token_hex(8), settings.run_folder / CANARY, time.monotonic()
    try:
        with make_celery(settings.broker) as celery:
            celery.send_task("sweeps.canary", args=[word], expires=_CANARY_SECONDS)
    except (OperationalError, OSError) as error:
        raise Unavailable(f"no task can be sent: {error}") from error
    while not path.exists() or path.read_text() != word:
        if time.monotonic() - began > _CANARY_SECONDS:
            raise Unavailable(f"no worker ran a task within {_CANARY_SECONDS:g} s")
        time.sleep(0.05)
    return _own_version(), f"ran a task in {time.monotonic() - began:.2f} s"


def beat(settings: Settings) -> tuple[str, str]:
    return _own_version(), _supervised(settings, "beat")


def logs(settings: Settings) -> tuple[str, str]:
    return _own_version(), _supervised(settings, "logs")


def database(settings: Settings) -> tuple[str, str]:
    from alembic.script import ScriptDirectory
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from paas.db import migrations
    from paas.db.session import Database

    head = ScriptDirectory.from_config(migrations.config(settings.database)).get_current_head()
    opened = Database(settings.database)
    if opened.engine.dialect.name == "sqlite" and not (settings.state / "paas.db").exists():
        raise Unavailable("there is no database", hint=START)
    try:
        with opened.read() as session:
            present = session.scalar(text("SELECT version_num FROM alembic_version"))
            version = session.scalar(text(_VERSION_SQL[opened.engine.dialect.name]))
    except (SQLAlchemyError, KeyError) as error:
        raise Unavailable(f"the database cannot be read: {error}", hint=START) from error
    finally:
        opened.engine.dispose()
    if present != head:
        raise Unavailable(f"the database's schema is {present}, not {head}", hint="Run `paas migrate`.")
    return f"{opened.engine.dialect.name} {version}", f"schema {present}"


_VERSION_SQL = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version"}


def git(settings: Settings) -> tuple[str, str]:
    return _version("git", "--version"), ""


def mmdebstrap(settings: Settings) -> tuple[str, str]:
    if settings.base_image:
        return "", f"not needed: the base is {settings.base_image}"
    return _version("mmdebstrap", "--version"), "makes the base image"


def disk(settings: Settings) -> tuple[str, str]:
    """The state folder's disk and the engine's."""
    folders = [settings.state]
    try:
        with engine(settings).door("tell its folder") as api:
            folders.append(Path(api.info()["DockerRootDir"]))
    except PaasError:
        pass  # its own check says so
    told = []
    for folder in folders:
        usage = shutil.disk_usage(folder) if folder.exists() else shutil.disk_usage("/")
        percent = 100 * usage.free // usage.total
        told.append(f"{folder}: {percent} % free")
        if percent < _FREE_PERCENT:
            raise Unavailable(
                f"{folder} has {percent} % of its disk free, less than {_FREE_PERCENT} %",
                hint="Make room: `docker image prune`, old logs, a larger disk.",
            )
    return "", ", ".join(told)


def secrets_(settings: Settings) -> tuple[str, str]:
    problems = state.secret_problems(settings)
    if problems:
        raise Unavailable("; ".join(problems), hint=state.REMEDY)
    return "", f"{len(state.secret_files(settings))} files, for their owner only"


Ask = Callable[[Settings], tuple[str, str]]
PROCESSES: dict[str, Ask] = {
    "redis": redis_,
    "registry": registry,
    "router": router,
    "web": web,
    "worker": worker,
    "beat": beat,
    "logs": logs,
}
MACHINE: dict[str, Ask] = {
    "engine": engine_,
    "database": database,
    "git": git,
    "mmdebstrap": mmdebstrap,
    "disk": disk,
    "secrets": secrets_,
}
ALL = {"engine": engine_, **PROCESSES, **MACHINE}


def check(settings: Settings, name: str) -> Check:
    """Ask one part."""
    try:
        version, detail = ALL[name](settings)
    except PaasError as error:
        return Check(name, False, "", error.message, _remedy(settings, name, error))
    return Check(name, True, version, detail, "")


def _remedy(settings: Settings, name: str, error: PaasError) -> str:
    """What a person at this machine can do: a process that does not answer has its reason in its log."""
    if name in PROCESSES and isinstance(error, Unavailable):
        return _log(settings, name) if supervisor.is_running(settings) else START
    return error.hint or START


def check_all(settings: Settings, names: Iterable[str] = ALL) -> list[Check]:
    return [check(settings, name) for name in names]


def await_all(settings: Settings, names: Iterable[str], seconds: float) -> None:
    """Return once all of them work. Raises Unavailable naming the first that does not."""
    until = time.monotonic() + seconds
    for name in names:
        while not (found := check(settings, name)).ok:
            if time.monotonic() > until:
                raise Unavailable(f"{name} does not come up: {found.detail}", hint=_log(settings, name))
            time.sleep(0.1)


def _supervised(settings: Settings, name: str) -> str:
    found = supervisor.processes(settings).get(name)
    if found is None or not found.is_running:
        said = f"{found.state}: {found.detail}" if found else "the supervisor is not running"
        raise Unavailable(f"{name} does not run ({said})")
    return found.detail


def _log(settings: Settings, name: str) -> str:
    return f"See {settings.state / 'log' / name}.log; `make up` starts what is down."


def _version(*argv: str) -> str:
    done = programs.run(argv, cwd=Path("/"), timeout=_VERSION_SECONDS)
    words = done.stdout.decode("utf-8", "replace").split()
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "")


def _own_version() -> str:
    from importlib.metadata import version

    return version("paas")
