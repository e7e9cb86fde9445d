"""One run of paasctl: the environment, what login stored, and the clients that were opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from paas.cli import addresses, credentials, git, output
from paas.cli.client import ANSWER_SECONDS, Api
from paas.cli.credentials import Server, Store
from paas.cli.environment import Environment
from paas.errors import Unauthenticated

if TYPE_CHECKING:
    import httpx


class Session:
    """Passed to every command. `transport` and `remotes` are the doors to the network and to git."""

    def __init__(
        self,
        environment: Environment,
        *,
        transport: httpx.BaseTransport | None = None,
        remotes: Callable[[], dict[str, str]] = git.remotes,
    ) -> None:
        self.environment, self.debug, self.remotes = environment, environment.debug, remotes
        self._transport = transport
        self._store: Store | None = None
        self._opened: list[Api] = []

    def store(self) -> Store:
        """What login remembers."""
        if self._store is None:
            self._store = credentials.load(self.environment.config_file, output.note)
        return self._store

    def save(self, store: Store) -> None:
        credentials.save(self.environment.config_file, store)
        self._store = store

    def url(self, wanted: str = "") -> str:
        """The platform to talk to: PAASCTL_URL, else the wanted one, else the current. Empty: none is known."""
        if self.environment.url:
            return addresses.normalise(self.environment.url)
        if wanted or self.store().current:
            return wanted or self.store().current
        return addresses.DEFAULT if self.environment.token else ""

    def server(self, wanted: str = "") -> Server:
        """The platform and who one is there. Raises Unauthenticated."""
        url = self.url(wanted)
        if self.environment.token and (self.environment.url or url == self.url()):
            return Server(url, "", self.environment.token)
        known = self.store().servers.get(url)
        if known is None:
            where = f" to {url}" if url else ""
            raise Unauthenticated(
                f"you are not logged in{where}", hint=f"Log in with `paasctl login {url or addresses.DEFAULT}`."
            )
        return known

    def api(self, wanted: str = "", seconds: float = ANSWER_SECONDS) -> Api:
        """A client for the platform. Raises Unauthenticated."""
        server = self.server(wanted)
        return self.open(server.url, server.token, seconds)

    def open(self, url: str, token: str = "", seconds: float = ANSWER_SECONDS) -> Api:
        """A client for any platform; closed with the session."""
        api = Api(url, token, seconds=seconds, transport=self._transport)
        self._opened.append(api)
        return api

    def close(self) -> None:
        for api in self._opened:
            api.close()
