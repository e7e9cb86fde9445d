"""Tiny builder images, each the test base with one layer more, and the sources that they build.

They are written straight into the registry: no engine builds them, and each is named by its contents.
"""

from __future__ import annotations

import http.server
import io
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from paas.core.builds import BuildResult, Previous
from paas.oci import images
from paas.oci.archive import Entry
from paas.oci.images import Image
from paas.oci.layers import Layer, LayerWriter
from tests.integration.kitchen import Kitchen

TOP = "/opt/fixture"
SOURCE = {"Gemfile": "source 'https://example.com'\n", "lib/shop.rb": "puts 'open'\n"}
ASSEMBLE = f"""#!/bin/sh
set -e
cp -R /tmp/src/. {TOP}/src/
id -u > {TOP}/assembled-by
echo "$COLOUR" > {TOP}/colour
date > /dev/null
for place in /tmp/token {TOP}/work/token {TOP}/work/sub/token; do
  if [ -s "$place" ]; then echo "$place" >> {TOP}/injected; fi
done
if [ -e /tmp/artifacts/kept ]; then cp /tmp/artifacts/kept {TOP}/restored; fi
echo precious > {TOP}/kept
mkdir -p /tmp/.s2i
echo '{{"labels": [{{"fixture.colour": "blue"}}, {{"fixture.size": "3"}}]}}' > /tmp/.s2i/image_metadata.json
"""
RUN = f"#!/bin/sh\necho running\ncat {TOP}/assembled-by\n"
SAVE = f"#!/bin/sh\ncd {TOP} && tar cf - kept\ndd if=/dev/zero count=1 2> /dev/null\n"
USAGE = "#!/bin/sh\necho This builder is a fixture.\n"
SCRIPTS = {"assemble": ASSEMBLE, "run": RUN, "save-artifacts": SAVE, "usage": USAGE}
IN_IMAGE = "/usr/libexec/fixture"
LABELLED = {"io.openshift.s2i.scripts-url": f"image://{IN_IMAGE}", "io.k8s.description": "A fixture"}


@dataclass(frozen=True)
class Recipe:
    """What a fixture image has beyond the base."""

    scripts: Mapping[str, str] = field(default_factory=lambda: dict(SCRIPTS))
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LABELLED))
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "1001"
    on_build: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    folder: str = f"{TOP}/work"


@dataclass
class Shelf:
    """Fixture images of one registry, made when they are first asked for."""

    kitchen: Kitchen
    made: dict[str, str] = field(default_factory=dict)

    def image(self, recipe: Recipe) -> str:
        """The reference of the image."""
        key = repr(recipe)
        if key not in self.made:
            name = f"builders/fixture{len(self.made)}"
            self._make(recipe, name)
            self.made[key] = f"{self.kitchen.host}/{name}:1"
        return self.made[key]

    def _make(self, recipe: Recipe, repository: str) -> None:
        registry = self.kitchen.registry
        base = registry.image("builders/base", "1")
        for layer in base.layers:
            assert registry.mount(repository, layer.digest, "builders/base")
        owner = int(recipe.user) if recipe.user.isdecimal() else 431
        layer = _layer(self.kitchen, repository, recipe, owner)
        image = images.extend(
            base, [layer], labels=recipe.labels, env=recipe.env, user=recipe.user, workdir=recipe.folder, cmd=["sh"]
        )
        more = {"OnBuild": list(recipe.on_build), "Entrypoint": list(recipe.entrypoint)}
        settings = {**image.config["config"], **{name: value for name, value in more.items() if value}}
        image = Image({**image.config, "config": settings}, image.layers)
        registry.push_image(repository, image, tag="1")


def _layer(kitchen: Kitchen, repository: str, recipe: Recipe, owner: int) -> Layer:
    with kitchen.registry.upload(repository) as upload:
        writer = LayerWriter(upload.write)
        writer.add(Entry("tmp", "dir", 0o1777))
        writer.add(Entry("opt", "dir", 0o755))
        for folder in ("", "/src", "/work", "/work/sub"):
            writer.add(Entry(f"{TOP}{folder}".strip("/"), "dir", 0o775, uid=owner))
        for folder in ("bin", "usr", "usr/bin", "usr/libexec", IN_IMAGE.strip("/")):
            writer.add(Entry(folder, "dir", 0o755))
        for name, text in sorted(recipe.scripts.items()):
            body = text.encode()
            writer.add(Entry(f"{IN_IMAGE}/{name}".strip("/"), "file", 0o755, len(body)), io.BytesIO(body))
        for path in recipe.removed:
            writer.whiteout(path)
        layer = writer.finish()
        upload.commit(layer.digest)
        return layer


@dataclass
class Case:
    """One test's app."""

    kitchen: Kitchen
    shelf: Shelf

    def build(self, recipe: Recipe, files: Mapping[str, str] = SOURCE, **given: Any) -> BuildResult:
        """Build the source with the fixture as its stock builder."""
        return self.kitchen.build(files, builder=self.shelf.image(recipe), **given)

    def again(self, recipe: Recipe, last: BuildResult, files: Mapping[str, str] = SOURCE, **given: Any) -> BuildResult:
        """The next, incremental build of the same app."""
        previous = Previous(self.kitchen.count, last.image, "", last.strategy, last.builder, last.ledger, last.facts)
        return self.build(recipe, files, incremental=True, previous=previous, **given)

    def config(self, result: BuildResult) -> dict[str, Any]:
        image = self.kitchen.registry.image(f"apps/{self.kitchen.app_id}", result.image)
        found: dict[str, Any] = image.config["config"]
        return found

    def paths(self, result: BuildResult) -> set[str]:
        """All files that the image has below the fixture's folder and /tmp."""
        listed = self.kitchen.run(result.image, "find", TOP, "/tmp", "-type", "f")
        return set(listed.split())

    def start(self, result: BuildResult, *, user: str = "1001:0") -> str:
        """What the web process prints."""
        return self.kitchen.run(result.image, *result.processes["web"], user=user)

    def is_as_built(self, result: BuildResult) -> None:
        """What every good build of the fixture has."""
        paths = self.paths(result)
        assert {f"{TOP}/assembled-by", f"{TOP}/src/Gemfile", f"{TOP}/src/lib/shop.rb"} <= paths
        assert self.start(result).startswith("running\n")
        assert not {path for path in paths if path.startswith(("/tmp/src", "/tmp/artifacts"))}
        assert result.image.startswith("sha256:")
        assert self.kitchen.left() == []

    def tags(self) -> list[str]:
        """Tags of the app's repository."""
        url = f"http://{self.kitchen.host}/v2/apps/{self.kitchen.app_id}/tags/list"
        argv = ["curl", "-s", url]
        answer = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)
        return answer.get("tags") or []

    def user(self, recipe: Recipe, user: str, **labels: str) -> Recipe:
        named = {f"io.openshift.s2i.{name.replace('_', '-')}": value for name, value in labels.items()}
        return replace(recipe, user=user, labels={**recipe.labels, **named})


@contextmanager
def served(files: Mapping[str, str], address: str) -> Iterator[str]:
    """A web server of a host's own address that only its containers reach; yields its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = files.get(self.path.strip("/").rpartition("/")[2])
            self.send_response(200 if text is not None else 404)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, *args: object) -> None:
            """Silence."""

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
