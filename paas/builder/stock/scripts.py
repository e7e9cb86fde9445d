"""S2I's scripts, each from the first place that has it: the owner's scripts_url, the source's `.s2i/bin`, the image.

Scripts from a web address are fetched by a program of the builder inside the sandbox, which reaches what any build
reaches; the worker fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from paas.builder import sandboxed, sourcetar
from paas.builder.job import Job, open_source
from paas.builder.scripts import OWN_SCRIPTS
from paas.builder.source import MAX_TEXT
from paas.builder.stock.contract import Contract
from paas.errors import BuildFailed, NotFound
from paas.ports import Sandbox

STAGE = "scripts"
ASSEMBLE, RUN, SAVE, USAGE, RUNTIME = "assemble", "run", "save-artifacts", "usage", "assemble-runtime"
NAMES = (ASSEMBLE, RUN, SAVE, USAGE, RUNTIME)
_WEB, _IMAGE, _FILE = ("http://", "https://"), "image://", "file://"
_MAX_ENTRIES = 2000
_NO_PROGRAM = 126
"""From here on codes say that a program is not there, or cannot live here."""
_PYTHON = (
    "import sys, urllib.request as w; open(sys.argv[2], 'wb').write(w.urlopen(sys.argv[1], None, 60).read(1 << 20))"
)
_FETCHERS = (
    ("curl", "-fsSL", "--max-time", "60", "--max-filesize", "1048576", "-o", "{path}", "{address}"),
    ("wget", "-q", "-T", "60", "-O", "{path}", "{address}"),
    ("python3", "-c", _PYTHON, "{address}", "{path}"),
)


@dataclass(frozen=True)
class Scripts:
    """Paths inside the sandbox by script."""

    paths: Mapping[str, str]
    given: Mapping[str, bytes] = field(default_factory=dict)
    """Those that were put into the sandbox, as they were then: its image does not have them."""

    def path(self, name: str) -> str:
        """Raises BuildFailed where nobody brings the script."""
        if name not in self.paths:
            raise BuildFailed(
                f"there is no {name} script",
                reason="FetchScriptsFailed",
                stage=STAGE,
                hint="S2I looks at scripts_url, at .s2i/bin of the source, and at the image's scripts-url label.",
            )
        return self.paths[name]


def put(job: Job, sandbox: Sandbox, contract: Contract, user: str, names: Iterable[str] = NAMES) -> Scripts:
    """Bring these scripts into the sandbox. Raises BuildFailed."""
    return _Search(job, sandbox, contract, user, list(names)).run()


def check_url(url: str) -> None:
    """Is it one of S2I's three forms? Raises BuildFailed."""
    plain = url.removeprefix(_IMAGE if url.startswith(_IMAGE) else _FILE)
    is_path = plain != url and re.fullmatch(r"[A-Za-z0-9._/-]+", plain) and ".." not in plain.split("/")
    is_web = url.startswith(_WEB) and re.fullmatch(r"https?://[^\s'\"\\]+", url)
    if (url and not (is_path or is_web)) or (url.startswith(_IMAGE) and not plain.startswith("/")):
        raise BuildFailed(
            f"{url[:200]!r} does not say where scripts are",
            reason="FetchScriptsFailed",
            stage=STAGE,
            hint="scripts_url is image:///FOLDER, file://FOLDER of the source, or http(s)://HOST/FOLDER.",
        )


@dataclass
class _Search:
    """The places, one after the other."""

    job: Job
    sandbox: Sandbox
    contract: Contract
    user: str
    missing: list[str]
    fetchers: list[tuple[str, ...]] = field(default_factory=lambda: list(_FETCHERS))

    def run(self) -> Scripts:
        url, label = self.job.spec.settings.scripts_url, self.contract.scripts_url
        check_url(url)
        check_url(label)
        paths, given = self._from(url)
        own = self._own(OWN_SCRIPTS)
        last, fetched = self._from(label)
        return Scripts({**paths, **own, **last}, self._contents({*given, *own, *fetched}))

    def _from(self, url: str) -> tuple[dict[str, str], set[str]]:
        """What lies at an address, and which of it was put into the sandbox."""
        if url.startswith(_IMAGE):
            folder = folder_of(url)
            there = names_at(self.sandbox, folder) & set(self.missing)
            self._found(there)
            return {name: f"{folder}/{name}" for name in there}, set()
        found = self._own(url.removeprefix(_FILE).strip("/")) if url.startswith(_FILE) else {}
        if url.startswith(_WEB) and self.missing:
            found = self._fetched(url)
        return found, set(found)

    def _own(self, folder: str) -> dict[str, str]:
        """From a folder of the source."""
        names = [f"{folder}/{name}" for name in self.missing]
        if folder == OWN_SCRIPTS and not any(name in self.job.files.names for name in names):
            return {}
        tools = self.job.tools
        there = sourcetar.scripts_of(open_source(self.job.spec, tools)(), tools.source_limits, (folder,))
        wanted = {name: body for name, body in there.items() if name in self.missing}
        if not wanted:
            return {}
        self.sandbox.put([sourcetar.of_scripts(wanted, owner(self.user))], self.contract.destination)
        return self._found(wanted)

    def _fetched(self, url: str) -> dict[str, str]:
        """From the web. Raises BuildFailed where the builder has no program that fetches."""
        self.sandbox.put([sourcetar.of_scripts({}, owner(self.user))], self.contract.destination)
        there = [name for name in self.missing if self._download(f"{url.rstrip('/')}/{name}", name)]
        if not there:
            raise BuildFailed(
                f"no script was found at {url[:200]}",
                reason="FetchScriptsFailed",
                stage=STAGE,
                hint="It must be reachable from the sandbox and hold assemble and run.",
            )
        argv = ("chmod", "0755", *(f"{self.contract.scripts}/{name}" for name in there))
        if sandboxed.quiet(self.job, self.sandbox, argv, self.user, STAGE):
            raise BuildFailed(
                "the fetched scripts cannot be made executable",
                reason="InstallScriptsFailed",
                stage=STAGE,
                hint="The builder has no chmod: put the scripts into .s2i/bin of the source.",
            )
        return self._found(there)

    def _download(self, address: str, name: str) -> bool:
        path = f"{self.contract.scripts}/{name}"
        while self.fetchers:
            argv = tuple(word.format(path=path, address=address) for word in self.fetchers[0])
            code = sandboxed.quiet(self.job, self.sandbox, argv, self.user, STAGE)
            if code < _NO_PROGRAM:
                return code == 0
            self.fetchers.pop(0)
        raise BuildFailed(
            f"{address[:200]} cannot be fetched: the builder has none of curl, wget and python3",
            reason="FetchScriptsFailed",
            stage=STAGE,
            hint="Put the scripts into .s2i/bin of the source, or name a builder that has one of the three.",
        )

    def _contents(self, names: set[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        if not names:
            return found
        with closing(self.sandbox.read(self.contract.scripts)) as entries:
            for entry, body in entries:
                above, _, name = entry.path.rpartition("/")
                if above == self.contract.scripts.strip("/") and name in names and entry.kind == "file":
                    if entry.size > MAX_TEXT:
                        raise _too_large(name)
                    found[name] = body.read()
        return found

    def _found(self, names: Iterable[str]) -> dict[str, str]:
        paths = {name: f"{self.contract.scripts}/{name}" for name in names}
        self.missing = [name for name in self.missing if name not in paths]
        return paths


def _too_large(name: str) -> BuildFailed:
    return BuildFailed(
        f"the script {name} has more than {MAX_TEXT} bytes",
        reason="InstallScriptsFailed",
        stage=STAGE,
        hint="Is it a program? Put that into the builder and call it.",
    )


def folder_of(url: str) -> str:
    """The folder of the image that a scripts-url names; empty where it names something else."""
    return url.removeprefix(_IMAGE).rstrip("/") if url.startswith(_IMAGE) else ""


def names_at(sandbox: Sandbox, folder: str) -> set[str]:
    """Which scripts lie right in a folder of the sandbox."""
    found: set[str] = set()
    try:
        with closing(sandbox.read(folder)) as entries:
            for count, (entry, _) in enumerate(entries):
                above, _, name = entry.path.rpartition("/")
                if above == folder.strip("/") and entry.kind != "dir" and name in NAMES:
                    found.add(name)
                if count > _MAX_ENTRIES:
                    break
    except NotFound:
        return set()
    return found


def owner(user: str) -> int:
    """Whom the files that a user works on belong to."""
    return int(user.partition(":")[0])
