from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from paas.errors import Conflict, Forbidden, NotFound, PaasError, Unavailable
from paas.oci import images, tokens
from paas.oci.archive import Entry
from paas.oci.digests import sha256
from paas.oci.images import Image
from paas.oci.layers import Layer, LayerWriter
from paas.oci.registry import Registry
from paas.oci.tokens import Scope, SigningKey

pytestmark = pytest.mark.integration

ISSUER, SERVICE = "paas-test", "registry-test"
EMPTY = Image({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}, ())


class Server:
    """A real `docker-registry` on a free port, storage in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        tokens.create_key(folder)
        self.key: SigningKey = tokens.load_key(folder)
        self.asked: list[Sequence[Scope]] = []
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "for upload sessions over restarts"},
            "auth": {
                "token": {
                    "realm": "http://127.0.0.1/token",
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(folder / tokens.CERTIFICATE_FILE),
                }
            },
        }
        (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        self.start()

    def start(self) -> None:
        program = shutil.which("docker-registry")
        assert program
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "serve", str(self.folder / "config.yml")],
                stdout=log,
                stderr=log,
                env={"PATH": os.defpath},
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with self.client(patience=0) as registry:
                    registry.ping()
                return
            except Unavailable:
                time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def token(self, scopes: Sequence[Scope], **changes: Any) -> str:
        self.asked.append(scopes)
        claims = {"issuer": ISSUER, "audience": SERVICE, "now": datetime.now(UTC)} | changes
        return tokens.mint(self.key, scopes=scopes, **claims)

    def client(self, *, patience: float = 10) -> Registry:
        return Registry(self.url, self.token, timeout=10, patience=patience)

    def uploads(self) -> list[Path]:
        return list(self.storage.glob("**/_uploads/*/data"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not shutil.which("docker-registry"):
        (pytest.fail if os.getenv("CI") else pytest.skip)("docker-registry is not installed")
    server = Server(tmp_path_factory.mktemp("registry"))
    yield server
    server.stop()


@pytest.fixture
def registry(server: Server) -> Iterator[Registry]:
    with server.client() as registry:
        yield registry


def push_layer(registry: Registry, repo: str, name: str, body: bytes) -> Layer:
    with registry.upload(repo) as upload:
        writer = LayerWriter(upload.write)
        writer.add(Entry("app", "dir", 0o755))
        writer.add(Entry(f"app/{name}", "file", 0o644, len(body)), io.BytesIO(body))
        layer = writer.finish()
        upload.commit(layer.digest)
    return layer


def noise(size: int, seed: str = "noise") -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def test_layer_streams_in_and_comes_out_the_same(registry: Registry) -> None:
    layer = push_layer(registry, "p/big", "a", noise(11_000_000))
    blob = b"".join(registry.open_blob("p/big", layer.digest))
    assert (len(blob), sha256(blob)) == (layer.size, layer.digest)


def test_pushed_image_is_read_back_by_tag_and_digest(registry: Registry) -> None:
    layers = [push_layer(registry, "p/app", "deps", b"d" * 9000), push_layer(registry, "p/app", "source", b"s")]
    image = images.extend(EMPTY, layers, env={"A": "1"}, labels={"l": "2"}, entrypoint=["/app/source"], user="1001")
    digest = registry.push_image("p/app", image, tag="v1")
    assert digest == registry.digest_of("p/app", "v1") == registry.push_image("p/app", image)
    for reference in ("v1", digest):
        assert registry.image("p/app", reference) == image


def test_blob_is_mounted_into_another_repository_only_if_it_is_there(registry: Registry, server: Server) -> None:
    layer = push_layer(registry, "one/app", "a", b"mounted")
    assert not registry.has_blob("two/app", layer.digest)
    assert registry.mount("two/app", layer.digest, "one/app")
    assert registry.has_blob("two/app", layer.digest)
    assert not registry.mount("two/app", sha256(b"nowhere"), "one/app")
    assert not server.uploads()


def test_image_with_a_missing_layer_is_refused(registry: Registry) -> None:
    layer = Layer(sha256(b"absent"), sha256(b"absent tar"), 5)
    with pytest.raises(Conflict, match="layer"):
        registry.push_image("p/lacking", images.extend(EMPTY, [layer]))


def test_unknown_things_are_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.digest_of("p/app", "nope")
    with pytest.raises(NotFound):
        registry.image("p/nope", sha256(b"nope"))
    with pytest.raises(NotFound):
        list(registry.open_blob("p/app", sha256(b"nope")))


def test_deleted_image_is_gone_with_its_tag(registry: Registry) -> None:
    image = images.extend(EMPTY, [push_layer(registry, "p/del", "a", b"x")])
    digest = registry.push_image("p/del", image, tag="v1")
    registry.delete_manifest("p/del", digest)
    registry.delete_manifest("p/del", digest)
    with pytest.raises(NotFound):
        registry.image("p/del", "v1")


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "other"},
        {"audience": "other"},
        {"now": timedelta(seconds=-200)},
        {"now": timedelta(seconds=200)},
    ],
    ids=["issuer", "audience", "expired", "not yet"],
)
def test_token_that_is_not_right_is_refused(server: Server, changes: dict[str, Any]) -> None:
    if "now" in changes:  # seen from this test, however long the ones before it took
        changes = {"now": datetime.now(UTC) + changes["now"]}
    with Registry(server.url, lambda scopes: server.token(scopes, **changes)) as registry, pytest.raises(Forbidden):
        registry.put_blob("p/app", b"x")


def test_token_of_a_stranger_or_none_is_refused(server: Server, tmp_path: Path) -> None:
    tokens.create_key(tmp_path)
    key = tokens.load_key(tmp_path)

    def forged(scopes: Sequence[Scope]) -> str:
        return tokens.mint(key, issuer=ISSUER, audience=SERVICE, scopes=scopes, now=datetime.now(UTC))

    for source in (forged, None):
        with Registry(server.url, source) as registry, pytest.raises(Forbidden):
            registry.has_blob("p/app", sha256(b"x"))


def test_scope_grants_only_what_it_says(server: Server, registry: Registry) -> None:
    layer = push_layer(registry, "one/app", "a", b"secret of one")
    pull = [Scope("two/app", ("pull",))]
    with Registry(server.url, lambda _: server.token(pull)) as narrow:
        with pytest.raises(Forbidden):
            narrow.put_blob("two/app", b"pull is not push")
        with pytest.raises(Forbidden):
            list(narrow.open_blob("one/app", layer.digest))
        with pytest.raises(Forbidden):
            narrow.delete_manifest("two/app", sha256(b"x"))
    push = [Scope("two/app", ("pull", "push", "delete"))]
    with Registry(server.url, lambda _: server.token(push)) as blind:
        with pytest.raises(Forbidden):
            blind.mount("two/app", layer.digest, "one/app")
        assert not blind.has_blob("two/app", layer.digest)


def test_every_call_asks_for_its_own_repository_only(server: Server, registry: Registry) -> None:
    server.asked.clear()
    registry.put_blob("p/scoped", b"scoped")
    assert {scope.repository for scopes in server.asked for scope in scopes} == {"p/scoped"}


def test_cancelled_upload_leaves_nothing(server: Server, registry: Registry) -> None:
    class Stop(Exception):
        pass

    def stop_halfway() -> None:
        with registry.upload("p/cancel") as upload:
            upload.write(noise(9_000_000))
            assert len(server.uploads()) == 1
            raise Stop

    with pytest.raises(Stop):
        stop_halfway()
    assert not server.uploads()


def test_upload_that_was_not_committed_leaves_nothing(server: Server, registry: Registry) -> None:
    with registry.upload("p/cancel") as upload:
        upload.write(noise(5_000_000))
    assert not server.uploads()


@pytest.mark.parametrize("size", [10, 9_000_000])
def test_wrong_digest_is_refused_by_the_registry(registry: Registry, server: Server, size: int) -> None:
    wrong = sha256(b"something else")
    with registry.upload("p/wrong") as upload:
        upload.write(noise(size))
        with pytest.raises(PaasError, match="other bytes") as caught:
            upload.commit(wrong)
    assert type(caught.value) is PaasError
    assert not registry.has_blob("p/wrong", wrong)


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_blob_damaged_on_disk_is_noticed(server: Server, registry: Registry, damage: str) -> None:
    digest = registry.put_blob("p/damaged", noise(3_000_000, damage))
    hexes = digest.removeprefix("sha256:")
    path = server.storage / f"docker/registry/v2/blobs/sha256/{hexes[:2]}/{hexes}/data"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data if damage == "flip" else data[:-100])
    with pytest.raises(PaasError, match="damaged"):
        list(registry.open_blob("p/damaged", digest))


def test_many_uploads_at_once(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        layers = list(
            pool.map(lambda n: push_layer(registry, f"p/many{n % 3}", str(n), noise(5_000_000, str(n))), range(8))
        )
    for number, layer in enumerate(layers):
        assert sha256(b"".join(registry.open_blob(f"p/many{number % 3}", layer.digest))) == layer.digest


def test_registry_that_is_down_is_unavailable_and_then_works(server: Server) -> None:
    with server.client(patience=0) as registry:
        digest = registry.put_blob("p/restart", b"before")
        server.stop()
        try:
            for call in (registry.ping, lambda: registry.has_blob("p/restart", digest)):
                with pytest.raises(Unavailable) as caught:
                    call()
                assert caught.value.retry_after > 0
        finally:
            server.start()
        assert registry.has_blob("p/restart", digest)


def test_upload_outlives_a_restart_between_two_pieces(server: Server) -> None:
    data = noise(13_000_000)
    with server.client(patience=20) as registry, registry.upload("p/resumed") as upload:
        upload.write(data[:9_000_000])
        server.stop()
        starter = threading.Timer(0.5, server.start)
        starter.start()
        upload.write(data[9_000_000:])
        upload.commit(sha256(data))
        starter.join()
        assert registry.has_blob("p/resumed", sha256(data))


def test_lost_upload_session_is_unavailable(server: Server, registry: Registry) -> None:
    with registry.upload("p/lost") as upload:
        upload.write(noise(5_000_000))
        for path in server.uploads():
            shutil.rmtree(path.parent)
        with pytest.raises(Unavailable, match="lost"):
            upload.write(noise(5_000_000))


class Script(ThreadingHTTPServer):
    """A server that gives the answers it was told, in order, and notes what it was asked."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _ScriptHandler)
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        super().__exit__(*args)


class _ScriptHandler(BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        status, headers, body = self.server.answers.pop(0)
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = int(headers.get("Content-Length", len(body))) != len(body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def log_message(self, *args: object) -> None:
        pass


OK = (200, {}, b"")
BREAK = (0, {}, b"")
SESSION = (202, {"Location": "http://elsewhere.invalid/v2/p/blobs/uploads/1?_state=a"}, b"")
DIGEST = sha256(b"x")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_fault_is_tried_again(status: int) -> None:
    with Script((status, {}, b""), OK) as script, Registry(script.url) as registry:
        assert registry.has_blob("p", DIGEST)
        assert len(script.asked) == 2


def test_retry_after_beyond_patience_is_unavailable_and_says_when() -> None:
    with Script((429, {"Retry-After": "77"}, b"")) as script, Registry(script.url, patience=2) as registry:
        with pytest.raises(Unavailable) as caught:
            registry.has_blob("p", DIGEST)
        assert caught.value.retry_after == 77


def test_expired_token_is_renewed_once() -> None:
    made = iter(["old", "new", "newer"])
    with Script((401, {}, b""), OK, (401, {}, b""), (401, {}, b"")) as script:
        with Registry(script.url, lambda _: next(made, "last")) as registry:
            assert registry.has_blob("p", DIGEST)
            assert [asked[2] for asked in script.asked] == ["Bearer old", "Bearer new"]
            with pytest.raises(Forbidden):
                registry.has_blob("p", DIGEST)


def test_lost_answer_to_a_question_is_asked_again() -> None:
    with Script(BREAK, OK) as script, Registry(script.url) as registry:
        assert registry.has_blob("p", DIGEST)


def test_lost_answer_to_a_piece_ends_the_upload() -> None:
    with Script(SESSION, BREAK, (202, {}, b"")) as script, Registry(script.url) as registry:
        with pytest.raises(Unavailable), registry.upload("p") as upload:
            upload.write(bytes(5_000_000))
        assert [asked[0] for asked in script.asked] == ["POST", "PATCH", "DELETE"]


def test_lost_answer_to_a_commit_is_settled_by_looking() -> None:
    with Script(SESSION, BREAK, OK) as script, Registry(script.url) as registry:
        with registry.upload("p") as upload:
            upload.write(b"x")
            upload.commit(DIGEST)
        assert [asked[0] for asked in script.asked] == ["POST", "PUT", "HEAD"]


def test_session_is_followed_by_path_only() -> None:
    with Script(SESSION, (201, {}, b"")) as script, Registry(script.url) as registry:
        with registry.upload("p") as upload:
            upload.write(b"x")
            upload.commit(DIGEST)
        assert script.asked[1][1].startswith("/v2/p/blobs/uploads/1?_state=a&digest=sha256%3A")


def test_truncated_body_is_unavailable() -> None:
    with Script((200, {"Content-Length": "100"}, b"short")) as script, Registry(script.url) as registry:
        with pytest.raises(Unavailable):
            list(registry.open_blob("p", DIGEST))


def test_manifest_with_another_digest_fails_loudly() -> None:
    with (
        Script((200, {}, b"{}")) as script,
        Registry(script.url) as registry,
        pytest.raises(PaasError, match="damaged"),
    ):
        registry.image("p", DIGEST)


def test_redirect_is_not_followed() -> None:
    with Script((307, {"Location": "http://elsewhere.invalid/"}, b"")) as script, Registry(script.url) as registry:
        with pytest.raises(PaasError, match="307"):
            list(registry.open_blob("p", DIGEST))


def engine() -> Any:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        (pytest.fail if os.getenv("CI") else pytest.skip)(f"no Docker Engine: {error}")
    return client


def test_engine_pushes_and_pulls_with_our_tokens_only(server: Server, registry: Registry) -> None:
    from docker.errors import DockerException

    client = engine()
    name = f"127.0.0.1:{server.port}/p/engine"

    def auth(repo: str, *actions: str) -> dict[str, str]:
        return {"registrytoken": server.token([Scope(repo, actions)])}

    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("hello"))
    client.api.import_image_from_data(tar.getvalue(), repository=name, tag="base")
    made = [f"{name}:base"]
    try:
        refused = client.images.push(name, "base", auth_config=auth("p/other", "pull", "push"))
        assert "errorDetail" in refused
        accepted = client.images.push(name, "base", auth_config=auth("p/engine", "pull", "push"))
        assert "errorDetail" not in accepted
        layer = push_layer(registry, "p/engine", "file", b"on top")
        base = registry.image("p/engine", "base")
        digest = registry.push_image("p/engine", images.extend(base, [layer], cmd=["/hello"], user="1001"))
        with pytest.raises(DockerException):
            client.images.pull(f"{name}@{digest}", auth_config=auth("p/other", "pull"))
        image = client.images.pull(f"{name}@{digest}", auth_config=auth("p/engine", "pull"))
        made.append(f"{name}@{digest}")
        assert image.attrs["RootFS"]["Layers"] == [*(part.diff_id for part in base.layers), layer.diff_id]
        assert (image.attrs["Config"]["User"], image.attrs["Config"]["Cmd"]) == ("1001", ["/hello"])
        assert len(image.history()) == 2
    finally:
        for reference in made:
            client.images.remove(reference)
        client.close()
