"""The pure parts of the S2I contract: labels, users, addresses, mappings, layers' rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.dockerfile.parse import parse_line
from paas.builder.stock import contract, injections, metadata, rules, runtime, scripts, users
from paas.builder.stock.contract import Contract
from paas.builder.stock.runtime import Artifact
from paas.errors import BuildFailed
from paas.oci.images import Image


def image(labels: dict[str, str] | None = None, **settings: object) -> Image:
    return Image({"config": {"Labels": labels or {}, "User": "1001", **settings}}, ())


def read(labels: dict[str, str] | None = None, **settings: object) -> Contract:
    return contract.read(image(labels, **settings))


def test_labels_come_before_their_older_names_and_variables() -> None:
    new, old = {"io.openshift.s2i.destination": "/a"}, {"io.s2i.destination": "/b"}
    assert read({**new, **old}).destination == "/a"
    assert read(old, Env=["STI_LOCATION=/c"]).destination == "/b"
    assert read(None, Env=["STI_LOCATION=/c/"]).source == "/c/src"
    assert read().scripts == "/tmp/scripts"
    assert read(None, Env=["STI_SCRIPTS_URL=image:///x"]).scripts_url == "image:///x"


@pytest.mark.parametrize("destination", ["tmp", "/a/../b", "/a b", "/"])
def test_destination_that_is_no_absolute_path_is_refused(destination: str) -> None:
    with pytest.raises(BuildFailed):
        read({"io.openshift.s2i.destination": destination})


@pytest.mark.parametrize("user", ["", "0", "00", "root", "app", "0:1001", "-1", "1001:root", " 1001", "1001\n"])
def test_root_and_names_run_nothing(user: str) -> None:
    assert not users.is_allowed(user)
    with pytest.raises(BuildFailed) as failed:
        users.of_assemble(read(None, User=user))
    assert failed.value.reason == "AssembleUserForbidden"


def test_numbers_run_assemble_and_the_label_counts_more() -> None:
    assert users.of_assemble(read()) == "1001"
    assert users.of_assemble(read({"io.openshift.s2i.assemble-user": "431:0"})) == "431:0"
    assert users.of_runtime(read({"io.openshift.s2i.assemble-runtime-user": "77"})) == "77"


@pytest.mark.parametrize(
    ("instructions", "user", "is_allowed"),
    [
        (("RUN true",), "1001", True),
        (("RUN true",), "", False),
        (("USER 1001", "RUN true"), "", True),
        (("USER 0", "RUN true", "USER 1001"), "1001", False),
        (("COPY . /x",), "app", False),
        (("USER\t0", "RUN\tid"), "1001", False),
        (("  user \t 0", "COPY . /x"), "1001", False),
        (("USER\t1001", "RUN\tid"), "", True),
        (("USER ${NAME}", "RUN id"), "1001", False),
        (('USER "0"', "RUN id"), "1001", False),
    ],
)
def test_on_build_never_runs_as_root(instructions: tuple[str, ...], user: str, is_allowed: bool) -> None:
    if is_allowed:
        users.check_on_build(instructions, user)
        return
    with pytest.raises(BuildFailed) as failed:
        users.check_on_build(instructions, user)
    assert failed.value.reason == "OnBuildForbidden"


@given(st.lists(st.tuples(st.sampled_from(["USER", "user", "RUN", "Copy"]), st.text(" \t", min_size=1, max_size=3))))
def test_what_passes_runs_no_instruction_as_root(parts: list[tuple[str, str]]) -> None:
    texts = [f"{gap}{name}{gap}{'0' if name.lower() == 'user' else '. /x'}" for name, gap in parts]
    names = [parse_line(text, 1).name for text in texts]
    if "USER" not in names:
        users.check_on_build(texts, "1001")
        return
    with pytest.raises(BuildFailed):
        users.check_on_build(texts, "1001")


@pytest.mark.parametrize("url", ["", "image:///a/b", "file://a", "file:///a/b/", "http://h:1/x", "https://h/y"])
def test_three_forms_of_scripts_url(url: str) -> None:
    scripts.check_url(url)


@pytest.mark.parametrize(
    "url", ["a", "image://a", "file://../a", "image:///a/../b", "ftp://h/x", "http://h/a b", "file://"]
)
def test_other_forms_are_refused(url: str) -> None:
    with pytest.raises(BuildFailed):
        scripts.check_url(url)


def test_mappings_of_a_runtime_image() -> None:
    assert runtime.artifacts(("/a/b:c/./d", "/e"), read()) == (Artifact("/a/b", "c/d"), Artifact("/e", ""))
    labelled = read({"io.openshift.s2i.assemble-input-files": "/a:b; /c"})
    assert runtime.artifacts((), labelled) == (Artifact("/a", "b"), Artifact("/c", ""))
    assert runtime.artifacts(("/x",), labelled) == (Artifact("/x", ""),)


def test_injections_name_secrets_and_folders() -> None:
    found = injections.parse(("token:/etc", "token:", "key:sub"), "/work", {"token": "x", "key": "y"})
    assert list(found.values()) == ["/etc", "/work", "/work/sub"]
    for wanted in ("other:/etc", "token", "token:../up"):
        with pytest.raises(BuildFailed):
            injections.parse((wanted,), "/work", {"token": "x"})


def test_labels_of_assemble_up_to_their_limit() -> None:
    most = metadata.MAX_LABELS - 1
    assert metadata.parse(json.dumps({"labels": [{"a": "1"}, {"b": "2"}]}).encode()) == {"a": "1", "b": "2"}
    assert len(metadata.parse(json.dumps({"labels": [{"a": "x" * most}]}).encode())["a"]) == most
    with pytest.raises(BuildFailed):
        metadata.parse(json.dumps({"labels": [{"a": "x" * (most + 1)}]}).encode())


@given(
    st.binary(max_size=60) | st.from_regex(r'\{"labels": ?[\[{"0-9a-z:, \]}]{0,30}\}', fullmatch=True).map(str.encode)
)
def test_any_metadata_is_labels_or_a_named_failure(content: bytes) -> None:
    try:
        found = metadata.parse(content)
    except BuildFailed as error:
        found = {"reason": error.reason}
    assert all(isinstance(value, str) for value in found.values())
    assert found.get("reason", "GenericS2IBuildFailed") == "GenericS2IBuildFailed"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("opt/app-root/lib/python3.12/site-packages/flask/app.py", "site-packages"),
        ("opt/app-root/bin/gunicorn", "site-packages"),
        ("usr/lib/python3/dist-packages/x.py", "site-packages"),
        ("opt/app-root/src/node_modules/ms/index.js", "node_modules"),
        ("opt/app-root/src/node_modules/x/vendor/y/z.js", "node_modules"),
        ("opt/app-root/src/vendor/bundle/ruby/3.3.0/gems/rack/x.rb", "gems"),
        ("opt/app-root/src/.m2/repository/a.jar", ".m2"),
        ("opt/app-root/src/vendor/composer/x.php", "vendor"),
        ("opt/app-root/src/vendor/autoload.php", "source"),
        ("root/go/pkg/mod/cache/x", "vendor"),
        ("usr/local/cargo/registry/x", "cargo"),
        ("opt/app-root/src/public/assets/app.css", "static"),
        ("opt/app-root/src/public/index.html", "source"),
        ("opt/app-root/src/app.py", "source"),
        ("opt/app-root/src/gems", "source"),
    ],
)
def test_where_installers_put_things_is_a_layer(path: str, part: str) -> None:
    assert rules.part_of(path) == part


@given(st.lists(st.sampled_from(["opt", "vendor", "bundle", "gems", "node_modules", "a"]), min_size=1, max_size=6))
def test_every_path_has_a_layer_with_a_place(names: list[str]) -> None:
    assert rules.part_of("/".join(names)) in rules.ORDER
