"""What the others do for the same app on the same builder, on the same engine, into a registry of its own.

`s2i` itself is used where it is named (`make bench S2I=/path/to/s2i`). Where it is not, its steps are done by the
engine's API, as `s2i build --incremental` does them: save-artifacts, upload, assemble, commit.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.subject import await_answer
from paas import bootstrap, settings
from paas.ops import images

CA = "/tmp/ca-bundle.crt"


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """A registry without a password for the rivals; its `host:port`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: {address}}}\n"
        )
        program = shutil.which("docker-registry") or "docker-registry"
        with subprocess.Popen(
            [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as serving:
            try:
                _await_port(address)
                yield address
            finally:
                serving.terminate()


def _await_port(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    raise SystemExit("the rivals' registry does not start")


@dataclass
class Rivals:
    """One app at the rivals: its folder, its builder image on the engine, and where they push."""

    folder: Path
    builder: str
    registry: str
    command: str
    """Starts the app where the builder's own `run` does not."""
    engine: Any
    s2i_program: str = ""
    env: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def s2i(self, version: str) -> float:
        """`s2i build --incremental`, push, run, first answer."""
        image = f"{self.registry}/s2i-{self.folder.name}:latest"
        began = time.monotonic()
        if self.s2i_program:
            argv = [
                self.s2i_program,
                "build",
                str(self.folder),
                self.builder,
                image,
                "--incremental",
                "--loglevel",
                "0",
            ]
            subprocess.run(argv, check=True, timeout=900, capture_output=True)
        else:
            self._assemble(image)
        return self._live(image, version, began)

    def docker_build(self, version: str) -> float:
        """A Dockerfile as its author would write it (dependencies first), push, run, first answer."""
        image = f"{self.registry}/dockerfile-{self.folder.name}:latest"
        began = time.monotonic()
        lines = [f"FROM {self.builder}", "WORKDIR /opt/app-root/src", "COPY requirements.txt ./"]
        lines += [*(f"ARG {name}" for name in self.env), "USER 0", f"COPY ca-bundle.crt {CA}"]
        lines += ["RUN pip install --no-cache-dir --target /opt/deps -r requirements.txt", "COPY . ./"]
        lines += ["ENV PYTHONPATH=/opt/deps", "ENV PATH=/opt/deps/bin:/usr/local/bin:/usr/bin:/bin", "USER 1001"]
        with _context(self.folder, "\n".join(lines)) as context:
            told = self.engine.api.build(
                fileobj=context, custom_context=True, tag=image, buildargs=self.env, rm=True, decode=True, timeout=900
            )
            _check(told)
        return self._live(image, version, began)

    def install_alone(self, command: str, files: dict[str, str]) -> float:
        """The ecosystem's own installer in the builder's container, nothing else; seconds of the command."""
        with self._container(["sleep", "600"]) as container:
            put(container, "/tmp", {name: (self.folder / path).read_bytes() for name, path in files.items()})
            began = time.monotonic()
            code, said = container.exec_run(["sh", "-c", command], environment=self.env, workdir="/tmp")
            if code:
                raise SystemExit(said.decode()[-2000:])
            return time.monotonic() - began

    def _assemble(self, image: str) -> None:
        """As s2i does it: source and artifacts lie in a folder of the host, from where they are uploaded."""
        with tempfile.TemporaryDirectory() as upload:
            shutil.copytree(self.folder, Path(upload, "src"), ignore=shutil.ignore_patterns(".git"))
            if image in self.made:
                self._save_artifacts(image, Path(upload, "artifacts"))
            with self._container(["sh", "-c", "exec /usr/libexec/s2i/assemble"], start=False) as container:
                owned = ("tar", "--create", "--owner=1001", "--group=0", "--file=-", f"--directory={upload}", ".")
                with subprocess.Popen(owned, stdout=subprocess.PIPE) as packed:
                    container.put_archive("/tmp", packed.stdout)
                container.start()
                if code := container.wait(timeout=900)["StatusCode"]:
                    raise SystemExit(f"assemble ended with {code}: {container.logs()[-2000:].decode()}")
                name, _, tag = image.rpartition(":")
                container.commit(name, tag, changes=['CMD ["/usr/libexec/s2i/run"]'])

    def _save_artifacts(self, image: str, folder: Path) -> None:
        folder.mkdir()
        with self._container(["sleep", "600"], image=image) as old:
            told = old.exec_run(["/usr/libexec/s2i/save-artifacts"], stream=True, demux=True).output
            unpack = ("tar", "--extract", "--file=-", f"--directory={folder}")
            with subprocess.Popen(unpack, stdin=subprocess.PIPE) as unpacked:
                assert unpacked.stdin
                for out, _ in told:
                    unpacked.stdin.write(out or b"")

    def _live(self, image: str, version: str, began: float) -> float:
        _check(self.engine.api.push(image, stream=True, decode=True))
        self.made.append(image)
        command = ["sh", "-c", f"exec {self.command}"]
        with self._container(command, image=image, env={"PORT": "8080"}) as container:
            container.reload()
            address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            await_answer((address, 8080), "localhost", version, time.monotonic())
            return time.monotonic() - began

    @contextlib.contextmanager
    def _container(
        self,
        command: list[str],
        *,
        image: str = "",
        env: dict[str, str] | None = None,
        start: bool = True,
    ) -> Iterator[Any]:
        container = self.engine.containers.create(image or self.builder, command, environment=env or self.env)
        try:
            if "PIP_CERT" in self.env:
                put(container, "/tmp", {"ca-bundle.crt": settings.load().trusted_ca.read_bytes()})
            if start:
                container.start()
            yield container
        finally:
            container.remove(force=True)

    def remove(self) -> None:
        """Nothing of the rivals stays on the engine."""
        for image in set(self.made):
            self.engine.images.remove(image, force=True)


def environment() -> dict[str, str]:
    """What the platform's sandboxes get too: CA bundle, proxies, indexes."""
    given = bootstrap.sandbox_settings(settings.load())
    certificates = {"PIP_CERT": CA, "NODE_EXTRA_CA_CERTS": CA, "SSL_CERT_FILE": CA} if given.ca_bundle else {}
    return {**certificates, **given.env}


def put(container: Any, folder: str, files: dict[str, bytes]) -> None:
    """Files into a container, owned by the builder's user."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid = len(content), 0o644, 1001
            tar.addfile(info, io.BytesIO(content))
    container.put_archive(folder, out.getvalue())


@contextlib.contextmanager
def _context(folder: Path, dockerfile: str) -> Iterator[Any]:
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path in _files(folder):
                tar.add(path, str(path.relative_to(folder)))
            bundle = settings.load().trusted_ca
            certificates = bundle.read_bytes() if bundle.is_file() else b""
            for name, content in (("Dockerfile", dockerfile.encode()), ("ca-bundle.crt", certificates)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        packed.seek(0)
        yield packed


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts]


def _check(told: Any) -> None:
    for message in told:
        if "error" in message:
            raise SystemExit(str(message["error"]))


def builder_image(engine: Any, name: str) -> str:
    """The build image with which this platform builds by default."""
    recipe = next(one for one in images.recipes(settings.load(), name) if one.repository == f"builders/{name}")
    if not engine.images.list(recipe.tag):
        raise SystemExit(f"there is no image {recipe.tag} on this engine: bin/paas builders make {name}")
    return recipe.tag
