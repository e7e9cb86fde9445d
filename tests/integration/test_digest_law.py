"""The law that makes caches safe: the same source and builder give the same digest, from nothing or through caches.

Each example is an edit: one project has built all earlier ones and uses what it kept, a fresh one has nothing. Packages
are tiny and come from a web server of the test, so that installers do all their work and an example takes seconds.
`HYPOTHESIS_PROFILE=nightly` tries 200 edits.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import secrets
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from paas.builder import reasons
from paas.builder.packages import LARGE
from paas.core.builds import BuildSettings, Previous
from paas.oci.registry import Registry
from paas.ports import Sandboxes
from tests.conftest import bridge_address
from tests.integration.test_builder import (  # noqa: F401 - fixtures
    Bench,
    CountedSandboxes,
    engine,
    previous,
    registry,
    registry_host,
    sandboxes,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
PYTHON, NODE = (120, 80) if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else (22, 8)
EDITS = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking builds for minutes
    suppress_health_check=[HealthCheck.too_slow],
)
VERSIONS = ("1.0.0", "2.0.0")
BACKEND = """import base64, hashlib, zipfile

def _wheel(folder, name, files):
    info = f'{name}-1.dist-info'
    files = {**files, f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n',
             f'{info}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
    def digest(text):
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()
    record = ''.join(f'{path},sha256={digest(text)},{len(text.encode())}\\n' for path, text in files.items())
    with zipfile.ZipFile(f'{folder}/{name}-1-py3-none-any.whl', 'w') as out:
        for path, text in {**files, f'{info}/RECORD': record + f'{info}/RECORD,,\\n'}.items():
            out.writestr(path, text)
    return f'{name}-1-py3-none-any.whl'

def build_wheel(folder, config=None, metadata=None):
    return _wheel(folder, NAME, {f'{NAME}_module.py': open('module.py').read()})

def build_editable(folder, config=None, metadata=None):
    import os
    return _wheel(folder, NAME, {f'{NAME}.pth': os.getcwd() + '\\n'})
"""


def own_package(name: str, text: str, folder: str = "") -> dict[str, str]:
    """A Python package of the source that builds itself, without any other package."""
    project = f'[project]\nname = "{name}"\nversion = "1"\n'
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": project + system, "backend.py": f"NAME = {name!r}\n{BACKEND}", "module.py": text}
    return {f"{folder}{path}": body for path, body in files.items()}


def wheel(name: str, version: str, requires: str = "") -> bytes:
    """Alpha and beta are large enough for layers of their own."""
    packed, info = io.BytesIO(), f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{name}/data.txt": "." * (LARGE if name in ("alpha", "beta") else 1),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_b64(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            out.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return packed.getvalue()


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def npm_tarball(name: str, version: str) -> bytes:
    packed = io.BytesIO()
    package = {"name": name, "version": version, "main": "index.js", "scripts": {"postinstall": "echo made > made.txt"}}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in {"package.json": json.dumps(package), "index.js": f"module.exports = '{version}'\n"}.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def served() -> dict[str, bytes]:
    """What the web server has: wheels with their index, and npm's archives."""
    wheels = {
        f"{name}-{version}-py3-none-any.whl": wheel(name, version)
        for name in ("alpha", "gamma")
        for version in VERSIONS
    }
    wheels |= {f"beta-{version}-py3-none-any.whl": wheel("beta", version, "alpha") for version in VERSIONS}
    pages = {
        f"/simple/{name}/": "".join(
            f'<a href="/files/{file}#sha256={hashlib.sha256(body).hexdigest()}">{file}</a>'
            for file, body in wheels.items()
            if file.startswith(name)
        ).encode()
        for name in ("alpha", "beta", "gamma")
    }
    archives = {
        f"/npm/{name}-{version}.tgz": npm_tarball(name, version) for name in ("left", "right") for version in VERSIONS
    }
    return {**pages, **archives, **{f"/files/{file}": body for file, body in wheels.items()}}


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """The address of the packages, which sandboxes reach."""
    contents = served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = contents.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *args: object) -> None:
            """Silence."""

    server = http.server.ThreadingHTTPServer((bridge_address(), 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{server.server_address[0]}:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@dataclass
class Law:
    """One project that has built all before, and fresh ones."""

    warm: Bench
    index: str
    last: Previous | None = None

    def holds(self, files: Mapping[str, str]) -> None:
        name = secrets.token_hex(4)
        fresh = replace(self.warm, app_id=f"a{name}", project_id=f"p{name}", lines=[], sandboxes=self._counted())
        given = BuildSettings(environment={"PIP_INDEX_URL": f"{self.index}/simple/"})
        with ThreadPoolExecutor(2) as pool:
            warm = pool.submit(self.warm.build, files, settings=given, previous=self.last)
            cold = pool.submit(fresh.build, files, settings=given)
        cached, anew = warm.result(), cold.result()
        self.last = previous(cached)
        event(f"through the cache with {len(self.warm.sandboxes.opened)} sandboxes")
        if any(note.reason == reasons.same_package() for note in cached.ledger):
            event("with the layers of single packages")
        assert cached.image == anew.image, "\n".join([*self.warm.lines, "---", *fresh.lines])

    def _counted(self) -> CountedSandboxes:
        return CountedSandboxes(self.warm.sandboxes.inner)


@pytest.fixture(scope="module")
def law(registry: Registry, registry_host: str, sandboxes: Sandboxes, index: str) -> Law:  # noqa: F811 - fixtures
    name = secrets.token_hex(4)
    return Law(Bench(registry, registry_host, CountedSandboxes(sandboxes), f"a{name}", f"p{name}"), index)


PINS = st.fixed_dictionaries({}, optional={name: st.sampled_from(VERSIONS) for name in ("alpha", "beta", "gamma")})
TEXTS = st.sampled_from(["X = 1\n", "X = 2\n", "X = 'é'\n"])


@st.composite
def python_apps(draw: st.DrawFn) -> dict[str, str]:
    """An app: pins, nested files, constraints, and perhaps packages of its own."""
    pins = {"alpha": "1.0.0", **draw(PINS)}
    files = {"app.py": draw(TEXTS), "Procfile": "web: python app.py\n"}
    lines = [f"{name}=={version}" for name, version in pins.items()]
    form = draw(st.sampled_from(["plain", "plain", "nested", "constrained", "editable", "local", "hashed"]))
    if form == "nested":
        files["deps/more.txt"] = f"{lines.pop()}\n-r deeper/most.txt\n"
        files["deps/deeper/most.txt"] = f"gamma=={draw(st.sampled_from(VERSIONS))}\n" if "gamma" not in pins else "\n"
        lines.append("-r deps/more.txt")
    elif form == "constrained":
        files["constraints.txt"] = "".join(f"{line}\n" for line in lines)
        lines = ["-c constraints.txt", *pins]
    elif form == "editable":
        files |= own_package("shop", draw(TEXTS))
        lines.append("-e .")
    elif form == "local":
        files |= own_package("inner", draw(TEXTS), "lib/")
        lines.append("./lib")
    elif form == "hashed":
        wanted = {name: pins[name] for name in pins if name != "beta"}
        hashes = {name: hashlib.sha256(wheel(name, version)).hexdigest() for name, version in wanted.items()}
        lines = [f"{name}=={version} --hash=sha256:{hashes[name]}" for name, version in wanted.items()]
    event(form)
    return {**files, "requirements.txt": "".join(f"{line}\n" for line in lines)}


@st.composite
def node_apps(draw: st.DrawFn) -> dict[str, object]:
    """An app with packages by address, and perhaps a folder, a workspace or a script of its own."""
    form = draw(st.sampled_from(["plain", "plain", "plain", "folder", "workspaces", "postinstall", "build"]))
    wanted = {"left": "1.0.0", **draw(st.fixed_dictionaries({}, optional={"right": st.sampled_from(VERSIONS)}))}
    wanted["left"] = draw(st.sampled_from(VERSIONS))
    package: dict[str, object] = {"name": "shop", "version": "1.0.0", "scripts": {"start": "node ."}}
    files = {"index.js": f"// {draw(TEXTS)}require('left')\n"}
    inner = json.dumps({"name": "inner", "version": "1.0.0", "main": "index.js"})
    local: dict[str, str] = {}
    if form in ("folder", "workspaces"):
        files |= {"packages/inner/package.json": inner, "packages/inner/index.js": f"// {draw(TEXTS)}"}
    if form == "folder":
        local["inner"] = "file:packages/inner"
    elif form == "workspaces":
        package["workspaces"] = ["packages/*"]
    elif form == "postinstall":
        package["scripts"] = {"start": "node .", "postinstall": "node -p 1+1 > made.txt"}
    elif form == "build":
        package["scripts"] = {"start": "node .", "build": "mkdir -p dist && cp index.js dist/"}
    event(form)
    return {"files": files, "package": package, "wanted": wanted, "local": local}


@settings(EDITS, max_examples=PYTHON)
@given(python_apps())
def test_python_app_has_one_digest_however_it_was_built(law: Law, app: dict[str, str]) -> None:
    law.holds(app)


@settings(EDITS, max_examples=NODE)
@given(node_apps())
def test_node_app_has_one_digest_however_it_was_built(law: Law, app: dict[str, object]) -> None:
    package, wanted, local = app["package"], app["wanted"], app["local"]
    assert isinstance(package, dict)
    assert isinstance(wanted, dict)
    assert isinstance(local, dict)
    addresses = {name: f"{law.index}/npm/{name}-{version}.tgz" for name, version in wanted.items()}
    files = app["files"]
    assert isinstance(files, dict)
    law.holds(
        {**files, "package.json": json.dumps({**package, "dependencies": {**addresses, **local}}, sort_keys=True)}
    )
