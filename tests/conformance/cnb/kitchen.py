"""A tiny build and run image, and sources with buildpacks of a few lines of shell.

Written straight into the registry: no engine builds them. The launcher of the fixture is a stand-in that only proves
what the engine exports; the real one has its own cases (test_launcher.py).
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paas.builder.catalog import Builder
from paas.core.builds import BuildResult, Previous, Strategy
from paas.oci import images
from paas.oci.archive import Entry
from paas.oci.digests import parse_digest
from paas.oci.layers import LayerWriter
from tests.integration.kitchen import Kitchen

BUILDER = Builder(name="buildpacks", display_name="Buildpacks", version="1", detect_any=())
LAUNCHER = b'#!/bin/sh\nexport LAUNCHED_BY=launcher\n[ "$1" != -- ] || shift\n[ $# = 0 ] || exec "$@"\necho launched\n'
ENV = {
    "CNB_USER_ID": "1001",
    "CNB_GROUP_ID": "0",
    "CNB_TARGET_DISTRO_NAME": "debian",
    "CNB_TARGET_DISTRO_VERSION": "13",
}
WEB = (
    'printf \'[[processes]]\\ntype = "web"\\ncommand = ["echo", "hi"]\\ndefault = true\\n\' '
    '>> "$CNB_LAYERS_DIR/launch.toml"'
)


def offer(*provides: str, requires: tuple[str, ...] = (), more: str = "") -> str:
    """Shell of a detect that writes a build plan."""
    text = "".join(f'[[provides]]\\nname = "{name}"\\n' for name in provides)
    text += "".join(f'[[requires]]\\nname = "{name}"\\n' for name in requires)
    return f"printf '{text}{more}' > \"$CNB_BUILD_PLAN_PATH\""


def pack(name: str, build: str = "", detect: str = "exit 0", *, more: str = "", api: str = "0.10") -> dict[str, str]:
    """A buildpack as files of a source, in `packs/NAME`."""
    top = f"packs/{name.replace('/', '_')}"
    toml = f'api = "{api}"\n[buildpack]\nid = "{name}"\nversion = "1.2.3"\n{more}\n'
    return {
        f"{top}/buildpack.toml": toml,
        f"{top}/bin/detect": f"#!/bin/sh\n{detect}\n",
        f"{top}/bin/build": f"#!/bin/sh\nset -e\n{build}\n",
    }


def layer(name: str, types: str, files: Mapping[str, str] | None = None, *, metadata: str = "") -> str:
    """Shell of a build that makes a layer; without files it is only declared."""
    listed = " ".join(f"{kind}=true" for kind in types.split())
    made = "".join(
        f'mkdir -p "$(dirname "$CNB_LAYERS_DIR/{name}/{path}")"\nprintf %s "{text}" > "$CNB_LAYERS_DIR/{name}/{path}"\n'
        for path, text in (files or {}).items()
    )
    toml = "\\n".join(["[types]", *listed.split(), "[metadata]", metadata])
    return f"{made}printf '{toml}\\n' > \"$CNB_LAYERS_DIR/{name}.toml\"\n"


@dataclass
class Case:
    """One test's app."""

    kitchen: Kitchen
    shipped: Path | None = None
    last: BuildResult | None = None
    catalog: Mapping[str, Builder] = field(default_factory=lambda: {BUILDER.name: BUILDER})

    def build(self, *packs: Mapping[str, str], order: str = "", again: bool = False, **given: Any) -> BuildResult:
        """Build an app with these buildpacks as one group; `order`: what `.buildpacks` says instead."""
        files: dict[str, str | bytes] = {"app.txt": "app\n"}
        for one in packs:
            files |= one
        if "project.toml" not in given.get("files", {}):
            tops = dict.fromkeys("/".join(path.split("/")[:2]) for one in packs for path in one)
            files[".buildpacks"] = order or "".join(f"./{top}\n" for top in tops)
        files |= given.pop("files", {})
        if again and self.last:
            last, number = self.last, self.kitchen.count
            given["previous"] = Previous(number, last.image, "", last.strategy, last.builder, last.ledger, last.facts)
        given.setdefault("strategy", Strategy.buildpacks)
        tools = {"catalog": self.catalog, "buildpacks": self.shipped}
        self.last = self.kitchen.build(files, tools=tools, **given)
        return self.last

    def config(self, result: BuildResult) -> dict[str, Any]:
        image = self.kitchen.registry.image(f"apps/{self.kitchen.app_id}", result.image)
        found: dict[str, Any] = image.config["config"]
        return found

    def label(self, result: BuildResult, name: str) -> Any:
        return json.loads(self.config(result)["Labels"][f"io.buildpacks.{name}.metadata"])

    def files(self, result: BuildResult, layer: str) -> dict[str, bytes]:
        """The files of one layer of the ledger."""
        digest = next(note.digest for note in result.ledger if note.name == layer)
        chunks = self.kitchen.registry.open_blob(f"apps/{self.kitchen.app_id}", parse_digest(digest))
        with tarfile.open(fileobj=io.BytesIO(zlib.decompress(b"".join(chunks), 31))) as tar:
            return {
                one.name: (tar.extractfile(one) or io.BytesIO()).read() if one.isfile() else one.linkname.encode()
                for one in tar
                if not one.isdir()
            }

    def start(self, result: BuildResult, *argv: str, **env: str) -> str:
        """What a process prints that is started as the platform starts it: the image's entry point does not count."""
        given = [f"--env={name}={value}" for name, value in env.items()]
        reference = f"{self.kitchen.host}/apps/{self.kitchen.app_id}@{result.image}"
        command = ["docker", "run", "--rm", "--network=none", "--user=1001:0", "--cap-drop=ALL", *given]
        command += [f"--entrypoint={argv[0]}", reference, *argv[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def note(self, result: BuildResult, layer: str) -> Any:
        return next(note for note in result.ledger if note.name == layer)

    @property
    def said(self) -> str:
        return "\n".join(self.kitchen.lines)


def make_images(kitchen: Kitchen) -> None:
    """`builders/buildpacks:1` and its run image."""
    registry = kitchen.registry
    base = registry.image("builders/base", "1")
    for name in (BUILDER.repository, BUILDER.run_repository):
        for one in base.layers:
            assert registry.mount(name, one.digest, "builders/base")
    with registry.upload(BUILDER.repository) as upload:
        writer = LayerWriter(upload.write)
        for folder in ("cnb", "cnb/lifecycle"):
            writer.add(Entry(folder, "dir", 0o755))
        writer.add(Entry("cnb/lifecycle/launcher", "file", 0o755, len(LAUNCHER)), io.BytesIO(LAUNCHER))
        made = writer.finish()
        upload.commit(made.digest)
    registry.push_image(BUILDER.repository, images.extend(base, [made], env=ENV, user="1001"), tag="1")
    labels = {"io.buildpacks.base.distro.name": "debian", "io.buildpacks.base.distro.version": "13"}
    registry.push_image(BUILDER.run_repository, images.extend(base, [], labels=labels, user="1001"), tag="1")
