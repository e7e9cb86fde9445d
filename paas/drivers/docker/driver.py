"""Releases on one machine's Docker Engine: `ports.Driver`.

Everything is found by our own labels; there is no state beside the engine's own and the router's files. The engine
restarts an instance from the moment it was healthy on: a release that never starts must not try for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from paas.core.names import AppId, ProjectId
from paas.core.processes import DEFAULT_PORT
from paas.core.releases import AwaitHealthy, Drain, Instance, Route, Start, Step, Stop
from paas.drivers.docker import health, logs, networks, oneoff, render, router_render
from paas.drivers.docker.client import Engine, RegistryAuth, is_disk_full
from paas.drivers.docker.router import Router
from paas.errors import Conflict, DeployFailed, NotFound, PaasError, Unavailable
from paas.ports import LogLine, RouteSpec, RunSpec, Say

_TOLD_LINES = 30
_ADDRESS_TRIES = 5
_AT_ONCE = 8
_ALIVE = ("running", "restarting", "paused")


class DockerDriver:
    """The instances of one installation."""

    def __init__(  # noqa: PLR0913 - what the operator chose, once
        self,
        engine: Engine,
        *,
        installation: str,
        router: Router,
        registry_auth: RegistryAuth,
        lock_folder: Path,
        instance_memory: int,
        instance_processes: int,
        health_timeout: float,
        drain_timeout: float,
        stop_grace: int = 10,
    ) -> None:
        self._engine, self._installation, self._router = engine, installation, router
        self._auth = registry_auth
        self._networks = networks.Networks(engine, installation, lock_folder)
        self._memory = instance_memory
        self._processes = instance_processes
        self._health_timeout = health_timeout
        self._drain_timeout = drain_timeout
        self._grace = stop_grace

    def ensure_project(self, project_id: ProjectId, subnet: str) -> None:
        """The project's network is there. Raises Conflict where the subnet is another's."""
        self._networks.ensure(project_id, subnet)

    def destroy_project(self, project_id: ProjectId) -> None:
        """Nothing of the project is left."""
        self._remove_all(self._listed(project_id=project_id))
        self._networks.remove(project_id)

    def observe(self, app_id: AppId) -> tuple[Instance, ...]:
        """The app's instances, by a list and a look at each, and the router's own record."""
        routed = self._router.state().get(app_id, frozenset())
        listed = self._listed("instance", app_id=app_id)
        return tuple(sorted((self._instance(c, routed) for c in listed), key=lambda i: (i.process, i.index, i.id)))

    def apply(self, app_id: AppId, step: Step) -> None:
        """One visible change. Raises DeployFailed, Unavailable."""
        match step:
            case Start():
                self._start(step)
            case AwaitHealthy():
                self._await_healthy(step)
            case Route():
                self._route(app_id, step)
            case Drain():
                self._router.drain(app_id, step.instance_ids, self._drain_timeout)
            case Stop():
                self._stop(render.instance_name(self._installation, step.instance_id))

    def run(self, spec: RunSpec, say: Say) -> int:
        """Run to the end, telling each line; the exit code. Raises DeployFailed on timeout."""
        self._remove(render.run_name(self._installation, spec.id))
        body = partial(render.run, self._installation, spec)
        name = render.run_name(self._installation, spec.id)
        try:
            container = self._create(name, spec.image, spec.project_id, body)
            return oneoff.run(self._engine, container, spec, say)
        finally:
            self._remove(name)

    def logs(self, since: Mapping[str, str], stop: Callable[[], bool]) -> Iterator[LogLine]:
        """Lines of all own instances as they come."""
        return logs.Follower(self._engine, self._installation, since).lines(stop)

    def last_lines(self, instance_id: str, count: int) -> list[str]:
        """What an instance wrote last; nothing if it is gone."""
        try:
            return logs.last_lines(self._engine, render.instance_name(self._installation, instance_id), count)
        except NotFound:
            return []

    def destroy(self, app_id: AppId) -> None:
        """No instance, one-off process or route of the app is left."""
        self._router.remove(app_id)
        self._remove_all(self._listed(app_id=app_id))

    def apps(self) -> frozenset[AppId]:
        """Those with a container or a route of ours."""
        listed = {container["Labels"].get(render.APP_ID, "") for container in self._listed()}
        return frozenset(map(AppId, {*listed, *self._router.state()} - {""}))

    def projects(self) -> frozenset[ProjectId]:
        """Those with a network of ours."""
        return frozenset(map(ProjectId, self._networks.projects()))

    def restore_routes(self, routes: Iterable[RouteSpec]) -> None:
        """The router's configuration anew: the hosts as given, the instances as the engine has them."""
        routed = self._router.state()
        restored = {}
        for route in routes:
            listed = self._listed("instance", app_id=route.app_id)
            servers = self._servers(self._serving(listed, routed.get(route.app_id, frozenset())))
            restored[str(route.app_id)] = router_render.Route(tuple(sorted(route.hosts)), servers)
        self._router.restore(restored)

    def _start(self, step: Start) -> None:
        name = render.instance_name(self._installation, step.instance_id)
        body = partial(render.instance, self._installation, step)
        refused: list[str] = []
        for _ in range(_ADDRESS_TRIES):
            container = self._create(name, step.spec.image, step.spec.project_id, body, refused)
            try:
                with self._engine.door(f"start {step.process.type}.{step.index}") as api:
                    api.start(container)
                return
            except PaasError as error:
                if "address already in use" not in error.message.lower():
                    raise _start_failed(error) from error
            refused.append(self._address(container))
            self._remove(name)
        raise Unavailable("no address of the project's network could be used", hint="See the engine's own log.")

    def _create(
        self,
        name: str,
        image: str,
        project_id: ProjectId,
        body: Callable[..., render.Body],
        refused: Iterable[str] = (),
    ) -> str:
        """The container is there, running or not; its id."""
        try:
            shown = self._engine.pull(image, self._auth)
        except NotFound as error:
            raise _image_missing(error) from error
        user = render.numeric_user((shown.get("Config") or {}).get("User") or "")
        network = render.network_name(self._installation, project_id)
        limits = {"memory": self._memory, "processes": self._processes}
        try:
            with self._networks.address(project_id, refused) as address, self._engine.door(f"create {name}") as api:
                made = api.create_container_from_config(
                    body(user=user, network=network, address=address, **limits), name
                )
        except Conflict:
            return name  # the same start came before
        except (NotFound, Unavailable) as error:
            raise _start_failed(error) from error
        return str(made["Id"])

    def _await_healthy(self, step: AwaitHealthy) -> None:
        container = render.instance_name(self._installation, step.instance_id)
        try:
            shown = self._inspect(container)
            labels = shown["Config"]["Labels"]
            address = networks.address_of(shown, self._network_of(labels))
            timeout = step.process.check.timeout or self._health_timeout
            host = labels.get(render.HOST) or address
            health.wait(self._engine, health.Awaited(container, step.name, address, host, step.process.check, timeout))
            with self._engine.door(f"keep {step.name} running") as api:
                api.update_container(container, restart_policy=render.KEEP_RUNNING)
        except NotFound as error:
            raise DeployFailed(f"{step.name} is gone", reason="crashed", stage="health") from error
        except DeployFailed as error:
            error.facts["lines"] = self.last_lines(step.instance_id, _TOLD_LINES)
            raise

    def _route(self, app_id: AppId, step: Route) -> None:
        listed = {c["Labels"].get(render.INSTANCE_ID): c for c in self._listed("instance", app_id=app_id)}
        missing = sorted(set(step.instance_ids) - listed.keys())
        if missing:
            raise DeployFailed(f"{missing[0]} is gone", reason="crashed", stage="route")
        self._router.route(app_id, step.hosts, self._servers(listed[name] for name in step.instance_ids))

    def _stop(self, container: str) -> None:
        """SIGTERM, SIGKILL after the grace time, gone."""
        try:
            ended = self._inspect(container)["State"]
            with self._engine.door("stop an instance") as api:
                api.stop(container, timeout=self._grace)
        except NotFound:
            return
        if not ended["Running"]:
            logs.let_finish(ended["FinishedAt"], datetime.now(UTC))
        self._remove(container)

    def _remove(self, container: str) -> None:
        try:
            with self._engine.door("remove a container") as api:
                api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except Conflict as error:
            if "in progress" not in error.message:  # someone else removes it
                raise

    def _remove_all(self, listed: Iterable[Mapping[str, Any]]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._stop, [container["Id"] for container in listed]))

    def _listed(self, role: str = "", **labels: str) -> list[dict[str, Any]]:
        """Our own containers, running or not."""
        with self._engine.door("list instances") as api:
            wanted = render.own(self._installation, role, **labels)
            return list(api.containers(all=True, filters={"label": wanted}))

    def _inspect(self, container: str) -> dict[str, Any]:
        with self._engine.door("look at an instance") as api:
            return dict(api.inspect_container(container))

    def _address(self, container: str) -> str:
        shown = self._inspect(container)
        return networks.address_of(shown, self._network_of(shown["Config"]["Labels"]))

    def _network_of(self, labels: Mapping[str, str]) -> str:
        return render.network_name(self._installation, labels.get(render.PROJECT_ID, ""))

    def _servers(self, listed: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
        found = {}
        for container in listed:
            labels = container["Labels"]
            found[labels[render.INSTANCE_ID]] = (
                networks.address_of(container, self._network_of(labels)),
                DEFAULT_PORT,
            )
        return found

    def _serving(self, listed: list[dict[str, Any]], routed: frozenset[str]) -> list[dict[str, Any]]:
        """Those that the router knows; where it knows none, the newest that were healthy."""
        alive = [c for c in listed if c["State"] in _ALIVE and c["Labels"].get(render.ROUTED) == "yes"]
        known = [c for c in alive if c["Labels"].get(render.INSTANCE_ID) in routed]
        if known:
            return known
        healthy = [c for c in alive if self._inspect(c["Id"])["HostConfig"]["RestartPolicy"] == render.KEEP_RUNNING]
        newest = max(healthy, key=lambda c: int(c["Labels"][render.RELEASE]), default=None)
        return [c for c in healthy if newest and c["Labels"][render.KEY] == newest["Labels"][render.KEY]]

    def _instance(self, container: Mapping[str, Any], routed: frozenset[str]) -> Instance:
        labels = container["Labels"]
        name = labels.get(render.INSTANCE_ID, "")
        address = networks.address_of(container, self._network_of(labels))
        restarts, since = self._history(container)
        return Instance(
            id=name,
            process=labels.get(render.PROCESS, ""),
            index=int(labels.get(render.INDEX, "0")),
            key=labels.get(render.KEY, ""),
            release=int(labels.get(render.RELEASE, "0")),
            running=container["State"] in _ALIVE,
            routed=name in routed,
            address=f"{address}:{DEFAULT_PORT}" if address else "",
            restarts=restarts,
            since=since.isoformat(),
        )

    def _history(self, container: Mapping[str, Any]) -> tuple[int, datetime]:
        """How often it was restarted and since when it runs; one that goes away meanwhile has its list entry only."""
        try:
            shown = self._inspect(container["Id"])
        except NotFound:
            return 0, datetime.fromtimestamp(container["Created"], UTC)
        return int(shown["RestartCount"]), datetime.fromisoformat(shown["State"]["StartedAt"])


def _image_missing(error: NotFound) -> DeployFailed:
    return DeployFailed(error.message, reason="image_missing", stage="start", hint="Build it again: push once more.")


def _start_failed(error: PaasError) -> PaasError:
    """What a tenant can do something about is a failed deploy; the rest is worth another try."""
    if isinstance(error, NotFound) and "no such image" in error.message.lower():
        return _image_missing(error)
    if is_disk_full(error):
        return DeployFailed(error.message, reason="no_space", stage="start", hint=error.hint)
    return error
