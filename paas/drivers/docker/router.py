"""The router of one machine: which hosts lead to which instances.

A change is first on disk (what it should be, the rendered configuration), then in the running HAProxy: through its
run-time API, or, for a new app or host, by a reload. On start the files win. A change that was written and
not applied is marked and applied by whoever comes next.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from paas.drivers.docker import haproxy, locks, router_render
from paas.drivers.docker.router_render import Edge, Route, Routes, Server
from paas.errors import Conflict, InvalidInput, Unavailable

_PAUSE = 0.02
_OK = ("", "New server registered.", "Server deleted.", "No such server.", "No such backend.")


class Router:
    """One HAProxy and the folder with its files."""

    def __init__(
        self,
        folder: Path,
        *,
        bind: str,
        port: int,
        api_host: str,
        web_socket: Path,
        stats_socket: Path,
        master_socket: Path,
    ) -> None:
        self._folder = folder
        self._edge = Edge(bind, port, api_host, web_socket, stats_socket)
        self._master = haproxy.Master(master_socket)

    @property
    def config(self) -> Path:
        """The file that HAProxy is started with: `haproxy -W -S MASTER_SOCKET -f CONFIG`."""
        return self._folder / "haproxy.cfg"

    def write_initial(self) -> None:
        """The files are there, as the settings and the known routes want them. Before HAProxy starts."""
        with self._lock():
            self._write(self._load()[0], pending=False)

    def route(self, app_id: str, hosts: Iterable[str], servers: Mapping[str, Server]) -> None:
        """From now on the app's requests go to exactly these instances. Raises Conflict, Unavailable."""
        wanted = Route(
            tuple(sorted({router_render.check_host(host) for host in hosts})),
            {router_render.check_id(name): router_render.check_server(server) for name, server in servers.items()},
        )
        router_render.check_id(app_id)
        with self._lock():
            routes, pending = self._load()
            _check_hosts(app_id, wanted, routes)
            self._change(routes, {**routes, app_id: wanted}, pending)

    def drain(self, app_id: str, instance_ids: Iterable[str], timeout: float) -> bool:
        """Return once the instances have no request left; False if the timeout came first and they were cut off."""
        ids = [router_render.check_id(instance_id) for instance_id in instance_ids]
        for instance_id in ids:
            self._master.say_to_all(router_render.set_state(app_id, instance_id, "drain"))
        deadline = time.monotonic() + timeout
        while (is_late := time.monotonic() > deadline) is False and self._sessions(app_id, ids):
            time.sleep(_PAUSE)
        with self._lock():
            for instance_id in ids:
                self._forget_server(app_id, instance_id, cut=is_late)
        return not is_late

    def remove(self, app_id: str) -> None:
        """The app's hosts lead nowhere."""
        with self._lock():
            routes, pending = self._load()
            if app_id in routes:
                self._change(routes, {name: r for name, r in routes.items() if name != app_id}, pending)

    def state(self) -> dict[str, frozenset[str]]:
        """By app the instances that its requests go to."""
        routes, pending = self._load()
        if pending:
            with self._lock():
                routes, pending = self._load()
                if pending and self._master.is_up():
                    self._master.reload()
                    self._write(routes, pending=False)
        return {app_id: frozenset(route.servers) for app_id, route in routes.items()}

    def restore(self, routes: Routes) -> None:
        """Exactly these routes, whatever was there before."""
        with self._lock():
            self._write(routes, pending=True)
            if self._master.is_up():
                self._master.reload()
            self._write(routes, pending=False)

    def _change(self, before: Routes, after: Routes, pending: bool) -> None:
        """Under the lock: write, then apply. A reload also applies what another worker left pending."""
        self._write(after, pending=True)
        if pending or _shape(before) != _shape(after):
            self._master.reload()
            self._drain_old(before, after)
        else:
            for app_id in after:
                if before[app_id] != after[app_id]:
                    self._apply(app_id, after[app_id])
        self._write(after, pending=False)

    def _apply(self, app_id: str, route: Route) -> None:
        """The backend's servers in every worker: first the new ones in, then the old ones out."""
        workers = self._master.workers()
        for worker in workers.all:
            try:
                self._apply_to(worker, app_id, route)
            except Unavailable:
                if worker in workers.current:
                    raise

    def _apply_to(self, worker: int, app_id: str, route: Route) -> None:
        present = self._present(worker, app_id)
        if present is None:
            return
        for name, server in sorted(route.servers.items()):
            if name in present:
                self._tell(worker, router_render.move_server(app_id, name, server))
                self._tell(worker, router_render.set_state(app_id, name, "ready"))
            else:
                self._tell(worker, router_render.add_server(app_id, name, server))
                self._tell(worker, router_render.enable_server(app_id, name))
        for name in sorted(present.keys() - route.servers.keys()):
            self._tell(worker, router_render.set_state(app_id, name, "drain"))

    def _drain_old(self, before: Routes, after: Routes) -> None:
        """After a reload: old workers, too, know the present servers of the apps that changed."""
        for worker in self._master.workers().old:
            try:
                for app_id, route in after.items():
                    if before.get(app_id) != route:
                        self._apply_to(worker, app_id, route)
            except Unavailable:
                continue  # it has finished

    def _present(self, worker: int, app_id: str) -> dict[str, tuple[str, int]] | None:
        """The servers that a worker has for the app; None where it does not know the app."""
        shown = self._master.say(worker, router_render.show_servers(app_id))
        return haproxy.parse_servers(shown) if shown.startswith("# pxname") else None

    def _sessions(self, app_id: str, ids: list[str]) -> int:
        answers = self._master.say_to_all(router_render.show_servers(app_id))
        shown = [haproxy.parse_servers(answer) for answer in answers.values() if answer.startswith("# pxname")]
        return sum(servers[name][1] for servers in shown for name in ids if name in servers)

    def _forget_server(self, app_id: str, instance_id: str, *, cut: bool) -> None:
        """Out of every worker; one that is still in use stays in maintenance and gets no request."""
        if instance_id in self._load()[0].get(app_id, Route(())).servers:
            raise Conflict(f"the router sends requests to {instance_id}", hint="Route to others first.")
        self._master.say_to_all(router_render.set_state(app_id, instance_id, "maint"))
        if cut:
            self._master.say_to_all(router_render.cut_sessions(app_id, instance_id))
        self._master.say_to_all(router_render.delete_server(app_id, instance_id))

    def _tell(self, worker: int, command: str) -> None:
        answer = self._master.say(worker, command)
        if answer not in _OK and not answer.startswith(("IP changed", "no need to change", "nothing changed")):
            raise Unavailable(f"the router did not take {command.split(maxsplit=1)[0]!r}: {answer[:200]}")

    def _load(self) -> tuple[dict[str, Route], bool]:
        """Routes, and whether they still have to be applied."""
        path = self._folder / "routes.json"
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            return {}, False
        except ValueError as error:
            raise Unavailable(f"{path} is damaged", hint="`paas doctor` writes it anew from the database.") from error
        return {app_id: _parse_route(route) for app_id, route in data["routes"].items()}, bool(data["pending"])

    def _write(self, routes: Routes, *, pending: bool) -> None:
        """All files anew, the configuration only if HAProxy has nothing against it."""
        config = router_render.config(self._edge, self._folder / "hosts.map", routes)
        self._folder.mkdir(parents=True, exist_ok=True)
        old = self.config.read_text() if self.config.exists() else ""
        if config != old:
            # The map is looked at by the check: it must be there, and it is harmless while nothing leads to it.
            _replace(self._folder / "hosts.map", router_render.host_map(routes))
            _replace(self.config, config, check=haproxy.check)
        _replace(self._folder / "hosts.map", router_render.host_map(routes))
        data = {"pending": pending, "routes": {app_id: asdict(route) for app_id, route in routes.items()}}
        _replace(self._folder / "routes.json", json.dumps(data, indent=1, sort_keys=True))

    def _lock(self) -> AbstractContextManager[None]:
        return locks.held(self._folder / "router.lock")


def _shape(routes: Routes) -> dict[str, tuple[str, ...]]:
    """What only a reload can change."""
    return {app_id: route.hosts for app_id, route in routes.items()}


def _check_hosts(app_id: str, wanted: Route, routes: Routes) -> None:
    for other, route in routes.items():
        if other != app_id and (taken := set(route.hosts) & set(wanted.hosts)):
            raise Conflict(f"another app answers at {min(taken)}", hint="Choose another host name.")


def _parse_route(data: Mapping[str, object]) -> Route:
    hosts, servers = data["hosts"], data["servers"]
    assert isinstance(hosts, list)
    assert isinstance(servers, dict)
    return Route(tuple(hosts), {name: (address, port) for name, (address, port) in servers.items()})


def _replace(path: Path, text: str, *, check: Callable[[Path], str] | None = None) -> None:
    """The file has this text, at once or not at all."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_text(text)
    fresh.chmod(0o600)
    if check and (refusal := check(fresh)):
        raise InvalidInput("the router refused its new configuration", hint=refusal[-500:])
    fresh.replace(path)
