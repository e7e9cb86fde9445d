"""One bridge per project, and one address in it for each container, for as long as the container is there.

The engine's own choice would shuffle at a restart, and the router would send one tenant's requests to another. The
address is chosen under a lock that all workers share, from what our own containers hold, running or not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from paas.drivers.docker import locks, render
from paas.drivers.docker.client import Engine
from paas.errors import Conflict, DeployFailed, NotFound, PaasError

_FIRST = 10
"""Host number of the first container; what is below is the gateway's and for later use."""


def lowest_free(subnet: str, taken: Collection[str]) -> str:
    """The lowest host address of the subnet, from .10 up, that is not taken; empty if there is none."""
    network = ipaddress.ip_network(subnet)
    for number in range(_FIRST, network.num_addresses - 1):
        address = str(network[number])
        if address not in taken:
            return address
    return ""


def address_of(container: Mapping[str, Any], network: str) -> str:
    """The address that a listed container has in the network, also while it does not run."""
    attached = ((container.get("NetworkSettings") or {}).get("Networks") or {}).get(network) or {}
    return str((attached.get("IPAMConfig") or {}).get("IPv4Address") or attached.get("IPAddress") or "")


class Networks:
    """The project networks of one installation."""

    def __init__(self, engine: Engine, installation: str, lock_folder: Path) -> None:
        self._engine = engine
        self._installation = installation
        self._folder = lock_folder

    def ensure(self, project_id: str, subnet: str) -> None:
        """The network is there. Raises Conflict where the subnet belongs to another."""
        name = render.network_name(self._installation, project_id)
        with self._lock(project_id):
            present = self._find(name)
            if present and _subnet(present) == subnet:
                return
            if present:
                self._remove(present["Id"])
            self._create(name, subnet, render.labels(self._installation, "network", project_id=project_id))

    def ensure_builds(self) -> str:
        """The network of the sandboxes, which cannot reach each other in it; its name."""
        name = render.builds_network(self._installation)
        with self._lock("builds"):
            if not self._find(name):
                self._create(name, "", render.labels(self._installation, "network"), crossing=False)
        return name

    def remove(self, project_id: str) -> None:
        """The network is gone."""
        with self._lock(project_id):
            if present := self._find(render.network_name(self._installation, project_id)):
                self._remove(present["Id"])

    def projects(self) -> set[str]:
        """Ids of the projects that have one."""
        with self._engine.door("list networks") as api:
            listed = api.networks(filters={"label": render.own(self._installation, "network")})
        found = {(network.get("Labels") or {}).get(render.PROJECT_ID, "") for network in listed}
        return found - {""}

    @contextmanager
    def address(self, project_id: str, refused: Iterable[str] = ()) -> Iterator[str]:
        """A free address; create the container that takes it before leaving. Raises DeployFailed if none is left."""
        name = render.network_name(self._installation, project_id)
        with self._lock(project_id):
            network = self._find(name)
            if network is None:
                raise NotFound(f"the network {name} is not there", hint="ensure_project makes it.")
            address = lowest_free(_subnet(network), {*self._taken(project_id, name), *refused})
            if not address:
                raise DeployFailed(
                    f"the project's network {_subnet(network)} has no free address",
                    reason="no_address",
                    stage="start",
                    hint="Scale something down.",
                )
            yield address

    def _taken(self, project_id: str, name: str) -> set[str]:
        with self._engine.door("list containers") as api:
            wanted = render.own(self._installation, project_id=project_id)
            return {address_of(c, name) for c in api.containers(all=True, filters={"label": wanted})}

    def _find(self, name: str) -> dict[str, Any] | None:
        with self._engine.door("list networks") as api:
            wanted = {"label": render.own(self._installation)}
            found = api.networks(names=[name], filters=wanted)
            # The engine's filter takes parts of names too.
            return next((dict(network) for network in found if network["Name"] == name), None)

    def _create(self, name: str, subnet: str, labels: dict[str, str], *, crossing: bool = True) -> None:
        pool = {"Config": [{"Subnet": subnet}]} if subnet else None
        options = {"com.docker.network.bridge.enable_icc": "true" if crossing else "false"}
        try:
            with self._engine.door(f"make the network {name}") as api:
                api.create_network(
                    name, driver="bridge", check_duplicate=True, ipam=pool, options=options, labels=labels
                )
        except PaasError as error:
            if "overlap" in error.message.lower():
                raise Conflict(
                    f"the subnet {subnet} is in use by another network of this machine",
                    hint="Give the platform another range: PAAS_NETWORK_POOL.",
                ) from error
            raise

    def _remove(self, network_id: str) -> None:
        try:
            with self._engine.door("remove a network") as api:
                api.remove_network(network_id)
        except NotFound:
            return
        except PaasError as error:
            if "active endpoints" in error.message:
                raise Conflict("the project's network is in use", hint="Delete the project's apps first.") from error
            raise

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return locks.held(self._folder / f"network-{name}.lock")


def _subnet(network: Mapping[str, Any]) -> str:
    pools = (network.get("IPAM") or {}).get("Config") or [{}]
    return str(pools[0].get("Subnet", ""))
