"""The router's configuration and run-time commands, as text made from values.

Pure. Only ids, IP addresses and host names that pass their grammar get into either: `;` and a line's end
separate commands, and a blank separates words.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paas.errors import InvalidInput

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_PATH = re.compile(r"/[A-Za-z0-9._/+@=-]+")

Server = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True)
class Route:
    """Where the requests for an app's hosts go."""

    hosts: tuple[str, ...]
    servers: Mapping[str, Server] = field(default_factory=dict)
    """By instance id."""


@dataclass(frozen=True)
class Edge:
    """What of the configuration is the operator's."""

    bind: str
    port: int
    api_host: str
    web_socket: Path
    stats_socket: Path


Routes = Mapping[str, Route]
"""By app id."""

_HEAD = """\
global
    stats socket {stats} mode 600 level admin expose-fd listeners
    maxconn 8000
    hard-stop-after 1h
    mworker-max-reloads 50

defaults
    mode http
    maxconn 8000
    timeout connect 2s
    timeout client 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout queue 10s
    timeout server 300s
    timeout tunnel 1h
    # The connection to the instance ends with the response: none that is idle can break under a POST, none
    # keeps an instance from draining. The client's own connection stays open.
    option http-server-close
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    http-error status 502 content-type text/plain string "the app did not give a valid answer\\n"
    http-error status 503 content-type text/plain string "the app does not accept connections\\n"
    http-error status 504 content-type text/plain string "the app took too long to answer\\n"

frontend edge
    bind {bind}:{port}
    http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)
    http-request del-header Forwarded
    http-request del-header X-Real-Ip
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Port {port}
    # A request that an instance may have begun to work on is sent again only where that does no harm.
    http-request disable-l7-retry unless {{ method GET HEAD OPTIONS }}
    use_backend platform if {{ var(txn.host) -m str {platform_hosts} }}
    use_backend %[var(txn.host),map_str({hosts_map})] if {{ var(txn.host),map_str({hosts_map}) -m found }}
    default_backend no-such-app

backend no-such-app
    http-request return status 404 content-type text/plain string "no such app\\n"

backend platform
    http-request set-timeout server 1h if {{ path_beg /git/ }} or {{ path_end /events /logs /stream }}
    http-request set-timeout server 1h if {{ req.hdr(accept) -m sub text/event-stream }}
    http-error status 503 content-type text/plain string "the platform does not answer; see `paas doctor`\\n"
    server web unix@{web}
"""

_BACKEND = """
backend {name}
    balance leastconn
    http-request return status 503 content-type text/plain hdr Retry-After 5 \
string "no instance of this app is running\\n" if {{ nbsrv eq 0 }}
"""


def check_id(text: str) -> str:
    """The id itself. Raises InvalidInput."""
    if not _ID.fullmatch(text):
        raise InvalidInput(f"{text[:60]!r} is not an id", field="id", hint="Ids have letters, digits, '-' and '_'.")
    return text


def check_host(text: str) -> str:
    """The host name itself, in lower case. Raises InvalidInput."""
    if not _HOST.fullmatch(text.lower()):
        raise InvalidInput(f"{text[:60]!r} is not a host name", field="host", hint="For example www.example.org")
    return text.lower()


def check_server(server: Server) -> Server:
    """The address itself. Raises InvalidInput."""
    address, port = server
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        raise InvalidInput(f"{address[:60]!r} is not an IPv4 address", field="address") from None
    if not 0 < int(port) < 65536:
        raise InvalidInput(f"{port!r} is not a port", field="port")
    return address, int(port)


def check_path(path: Path) -> str:
    """The path as text. Raises InvalidInput where the configuration could not quote it."""
    if not _PATH.fullmatch(str(path)):
        raise InvalidInput(f"the router cannot use the path {path}", hint="Use letters, digits, and . _ + @ = - /.")
    return str(path)


def backend(app_id: str) -> str:
    return f"app-{check_id(app_id)}"


def target(app_id: str, instance_id: str) -> str:
    """`backend/server`, as commands name it."""
    return f"{backend(app_id)}/{check_id(instance_id)}"


def config(edge: Edge, hosts_map: Path, routes: Routes) -> str:
    """The whole configuration file."""
    head = _HEAD.format(
        stats=check_path(edge.stats_socket),
        bind=_bind(edge.bind),
        port=int(edge.port),
        platform_hosts=" ".join(dict.fromkeys((check_host(edge.api_host), "localhost", "127.0.0.1"))),
        hosts_map=check_path(hosts_map),
        web=check_path(edge.web_socket),
    )
    return head + "".join(_render_backend(app_id, route) for app_id, route in sorted(routes.items()))


def host_map(routes: Routes) -> str:
    """The map file: host and backend, a line each."""
    lines = [f"{check_host(host)} {backend(app_id)}\n" for app_id, route in routes.items() for host in route.hosts]
    return "".join(sorted(lines))


def add_server(app_id: str, instance_id: str, server: Server) -> str:
    address, port = check_server(server)
    return f"add server {target(app_id, instance_id)} {address}:{port}"


def move_server(app_id: str, instance_id: str, server: Server) -> str:
    address, port = check_server(server)
    return f"set server {target(app_id, instance_id)} addr {address} port {port}"


def set_state(app_id: str, instance_id: str, state: str) -> str:
    """`ready`, `drain` or `maint`."""
    if state not in ("ready", "drain", "maint"):
        raise InvalidInput(f"{state!r} is no state of a server")
    return f"set server {target(app_id, instance_id)} state {state}"


def enable_server(app_id: str, instance_id: str) -> str:
    return f"enable server {target(app_id, instance_id)}"


def cut_sessions(app_id: str, instance_id: str) -> str:
    return f"shutdown sessions server {target(app_id, instance_id)}"


def delete_server(app_id: str, instance_id: str) -> str:
    return f"del server {target(app_id, instance_id)}"


def show_servers(app_id: str) -> str:
    """Statistics (CSV) of the servers of one backend."""
    return f"show stat {backend(app_id)} 4 -1"


def _bind(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidInput(f"{address[:60]!r} is not an IP address", field="PAAS_BIND") from None
    return f"[{found}]" if found.version == 6 else str(found)


def _render_backend(app_id: str, route: Route) -> str:
    lines = [_BACKEND.format(name=backend(app_id))]
    for instance_id, server in sorted(route.servers.items()):
        address, port = check_server(server)
        lines.append(f"    server {check_id(instance_id)} {address}:{port}\n")
    return "".join(lines)
