"""Makes the builders' images of this installation: recipes from their folders, work on the engine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from paas.builder import catalog
from paas.builder import recipes as read
from paas.builder.catalog import Builder, Version
from paas.builder.stock.usage import usage
from paas.core.builders import BuilderInfo, Updated, VersionInfo, changed_packages
from paas.core.builds import Limits
from paas.core.recipes import Recipe
from paas.drivers.docker import builders
from paas.drivers.docker.builders import Workshop
from paas.drivers.docker.client import Engine
from paas.errors import Conflict, NotFound
from paas.oci.digests import parse_digest
from paas.oci.registry import Registry
from paas.ports import Sandboxes, Say
from paas.settings import Settings

PUSHED = "pushed-images.json"
"""In the state folder: which of the builders' images the registry has."""
UPDATES = "builder-updates.json"
"""In the state folder: when a builder's packages were last asked for anew, by its name and version."""


def recipes(settings: Settings, builder: Builder, version: Version) -> list[Recipe]:
    """Of the images of one version of a builder."""
    proxies = _proxies(settings)
    given = {
        "PIP_INDEX_URL": settings.pip_index_url,
        "NPM_CONFIG_REGISTRY": settings.npm_registry,
        **{name.upper(): value for name, value in proxies.items()},
        **proxies,
    }
    args = {name: value for name, value in given.items() if value}
    stamp = _updates(settings).get(_label(builder, version), "")
    folder = settings.builders / builder.name
    return read.of(builder, version, folder, args, public_base=settings.base_image, stamp=stamp)


def place(settings: Settings, engine: Engine, owner: str) -> Workshop:
    """Where images are made; `owner`: the installation whose they are."""
    bundle = settings.trusted_ca.read_bytes() if settings.trusted_ca.is_file() else b""
    return Workshop(engine, owner, settings.run_folder, settings.state / "tmp", _proxies(settings), bundle)


@dataclass(frozen=True)
class Builders:
    """The installation's builders: told, made when first used, patched."""

    settings: Settings
    engine: Engine
    owner: str
    registry: Registry
    open_sandboxes: Callable[[], Sandboxes]
    limits: Limits

    def make(self, builder: Builder, say: Say) -> None:
        """The images of a builder's version, made and in the registry. Raises BuildFailed, Unavailable."""
        with builders.alone(self.settings.run_folder):
            self._make(builder, say, fresh=False)

    def list_all(self) -> list[BuilderInfo]:
        updates = _updates(self.settings)
        return [self._info(builder, updates) for builder in catalog.load(self.settings.builders).values()]

    def update(self, name: str, version: str, say: Say) -> Updated:
        """Make a version anew with the packages of now; `version` may be empty. Raises NotFound, BuildFailed."""
        builder = self._find(name, version)
        old = self._digest(self._run_repository(builder), builder.version)
        with builders.alone(self.settings.run_folder):
            before = self._packages(builder)
            _write_update(self.settings, _label(builder, builder.named(builder.version)))
            self._make(builder, say, fresh=True)
            after = self._packages(builder)
        new = self._digest(self._run_repository(builder), builder.version)
        return Updated(f"{name}:{builder.version}", old, new, changed_packages(before, after))

    def usage(self, name: str, version: str) -> str:
        """What a version says about itself. Raises NotFound, Conflict, BuildFailed, Unavailable."""
        builder = self._find(name, version)
        digest = self._digest(builder.repository, builder.version)
        if not digest:
            hint = f"Its first build makes them, or an admin: paasctl builders update {name}:{builder.version}"
            raise Conflict(f"the images of {name}:{builder.version} are not made yet", hint=hint)
        reference = f"{self.settings.registry_host}/{builder.repository}@{digest}"
        image = self.registry.image(builder.repository, parse_digest(digest))
        return usage(self.open_sandboxes(), self.limits, reference, image, f"usage-{uuid.uuid4().hex}")

    def _find(self, name: str, version: str) -> Builder:
        known = catalog.load(self.settings.builders)
        if name not in known:
            raise NotFound(f"there is no builder {name!r}", hint=f"There are: {', '.join(known)}.")
        builder = known[name]
        return replace(builder, version=builder.named(version or builder.version).name)

    def _make(self, builder: Builder, say: Say, *, fresh: bool) -> None:
        wanted = recipes(self.settings, builder, builder.named(builder.version))
        workshop = place(self.settings, self.engine, self.owner)
        builders.make_bases(workshop, wanted, say)
        builders.make(workshop, wanted, say, fresh=fresh)
        builders.push(self.engine, self.registry, wanted, self.settings.state / PUSHED, say)

    def _packages(self, builder: Builder) -> dict[str, str]:
        """Of the image that apps run on; nothing where it is not on the engine."""
        wanted = recipes(self.settings, builder, builder.named(builder.version))
        try:
            return builders.packages(self.engine, wanted[-1].tag)
        except NotFound:
            return {}

    def _info(self, builder: Builder, updates: Mapping[str, str]) -> BuilderInfo:
        files = [f"{file}:{key}" if key else file for file, key in builder.version_files]
        versions = [self._version(builder, version, updates) for version in builder.all_versions()]
        return BuilderInfo(builder.name, builder.display_name, list(builder.detect_any), files, versions)

    def _version(self, builder: Builder, version: Version, updates: Mapping[str, str]) -> VersionInfo:
        build = self._digest(builder.repository, version.name)
        run = self._digest(self._run_repository(builder), version.name)
        stamp = updates.get(_label(builder, version))
        return VersionInfo(
            version=version.name,
            suite=version.suite,
            is_default=version.name == builder.version,
            is_made=bool(build),
            build_image=build,
            run_image=run or build,
            updated_at=datetime.fromisoformat(stamp) if stamp else None,
        )

    def _run_repository(self, builder: Builder) -> str:
        has_own = (self.settings.builders / builder.name / read.RUN_DOCKERFILE).is_file()
        return builder.run_repository if has_own else builder.repository

    def _digest(self, repository: str, version: str) -> str:
        try:
            return self.registry.digest_of(repository, version)
        except NotFound:
            return ""


def _proxies(settings: Settings) -> dict[str, str]:
    known = {"http_proxy": settings.http_proxy, "https_proxy": settings.https_proxy, "no_proxy": settings.no_proxy}
    return {name: value for name, value in known.items() if value}


def _label(builder: Builder, version: Version) -> str:
    return f"{builder.name}:{version.name}"


def _updates(settings: Settings) -> dict[str, str]:
    path = settings.state / UPDATES
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _write_update(settings: Settings, label: str) -> None:
    path = settings.state / UPDATES
    scratch = path.with_suffix(".new")
    stamps = {**_updates(settings), label: datetime.now(UTC).isoformat(timespec="seconds")}
    scratch.write_text(json.dumps(stamps, indent=1))
    scratch.replace(path)
