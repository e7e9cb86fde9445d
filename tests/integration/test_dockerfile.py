"""Dockerfiles and images, built in real sandboxes into a real registry."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from paas.errors import BuildFailed
from tests.integration.kitchen import Kitchen, kitchen

pytestmark = pytest.mark.integration

APP = {
    "Dockerfile": (
        "FROM paas/base:1\n"
        "WORKDIR /srv/app\n"
        "COPY needs.txt ./\n"
        "RUN cat needs.txt > /usr/installed && id -u > /usr/uid\n"
        "COPY . .\n"
        'CMD ["python3", "app.py"]\n'
    ),
    "needs.txt": "one\n",
    "app.py": "print('v1')\n",
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with kitchen(tmp_path_factory.mktemp("kitchen")) as made:
        yield made


@pytest.fixture
def cook(opened: Kitchen) -> Iterator[Kitchen]:
    fresh = Kitchen(opened.engine, opened.installation, opened.host, opened.registry, opened.sandboxes, opened.imports)
    yield fresh
    assert fresh.left() == []


def states(result) -> list[tuple[str, str]]:
    return [(note.name, note.state) for note in result.ledger]


def test_what_did_not_change_does_not_run_again(cook: Kitchen) -> None:
    first = cook.build(APP)
    assert states(first) == [("RUN cat needs.txt > /usr/installed && id -u > /usr/uid", "new"), ("COPY . .", "new")]
    assert first.processes == {"web": ("python3", "app.py")}
    assert (first.strategy, first.builder) == ("dockerfile", "Dockerfile")
    assert any("strategy dockerfile" in line for line in cook.lines)
    assert any("user is root" in line for line in cook.lines)
    assert (
        cook.run(first.image, "sh", "-c", "python3 app.py; cat /usr/installed /usr/uid; pwd")
        == "v1\none\n0\n/srv/app\n"
    )

    changed = cook.build(APP | {"app.py": "print('v2')\n"})
    assert [state for _, state in states(changed)] == ["reused", "new"]
    assert changed.ledger[0].digest == first.ledger[0].digest
    assert changed.ledger[1].pushed < 2000
    assert cook.sandboxes.opened == 1
    assert cook.run(changed.image, "python3", "app.py") == "v2\n"

    again = cook.build(APP)
    assert cook.sandboxes.opened == 0
    assert again.image == first.image
    fresh = cook.build(APP, no_cache=True)
    assert (fresh.image, cook.sandboxes.opened) == (first.image, 2)


def test_stages_copy_from_each_other_and_only_what_is_needed_runs(cook: Kitchen) -> None:
    source = {
        "Dockerfile": (
            "ARG BASE=none\n"
            "FROM $BASE AS build\n"
            "ARG GREETING=unset\n"
            "ENV NAME=world\n"
            'SHELL ["/bin/sh", "-ec"]\n'
            'RUN mkdir -p /out/lib && echo "$GREETING $NAME" > /out/a.txt; ln -s a.txt /out/link\n'
            "RUN echo b > /out/lib/b.txt && ln /out/lib/b.txt /out/lib/hard\n"
            "FROM build AS unused\n"
            "RUN exit 1\n"
            "CMD true\n"
            "FROM scratch\n"
            "COPY --from=build /out/*.txt /out/lib /data/\n"
            "COPY --from=0 --chown=7:8 --chmod=640 /out/link /\n"
            'LABEL one=1 two="a b"\n'
            "USER 1234\n"
            'ENTRYPOINT ["/bin/true"]\n'
        )
    }
    args = {"BASE": "paas/base:1", "GREETING": "hello", "OTHER": "x"}
    result = cook.build(source, build_args=args)
    assert any("no ARG declares: OTHER" in line for line in cook.lines)
    image = cook.registry.image(f"apps/{cook.app_id}", result.image)
    assert len(image.layers) == 1
    assert (image.user, image.labels) == ("1234", {"one": "1", "two": "a b"})
    names = layer_entries(cook, image.layers[0].digest)
    assert names["data/a.txt"] == (b"hello world\n", 0o644, 0, 0)
    assert {names["data/b.txt"][0], names["data/hard"][0]} <= {b"b\n", b"data/b.txt"}
    assert cook.build(source, build_args=args).image == result.image
    assert cook.sandboxes.opened == 0, "a kept stage does not even start what it copies from"
    with pytest.raises(BuildFailed) as failed:
        cook.build(source, build_args=args, target="unused")
    assert (failed.value.reason, failed.value.facts["exit_code"]) == ("DockerBuildFailed", 1)


def test_whole_image_is_squashed_into_one_layer(cook: Kitchen) -> None:
    result = cook.build(
        {"Dockerfile": "FROM paas/base:1 AS full\nRUN touch /made\nFROM scratch\nCOPY --from=full / /\nCMD true\n"}
    )
    names = layer_entries(cook, cook.registry.image(f"apps/{cook.app_id}", result.image).layers[0].digest)
    assert {"made", "bin/busybox", "etc"} <= names.keys()
    assert not [name for name in names if name.startswith(("tmp/paas", "run/secrets", "sbin/docker-init"))]
    assert names["tmp"][1] == 0o1777


def layer_entries(cook: Kitchen, digest: str) -> dict[str, tuple[bytes, int, int, int]]:
    data = gzip.decompress(b"".join(cook.registry.open_blob(f"apps/{cook.app_id}", digest)))
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            body = tar.extractfile(member).read() if member.isfile() else member.linkname.encode()
            found[member.name] = (body, member.mode, member.uid, member.gid)
    return found


def test_copy_puts_files_where_docker_does(cook: Kitchen) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("in/tar.txt")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"t"))
    source = {
        "Dockerfile": (
            "FROM paas/base:1\n"
            "RUN echo 'daemon:x:5:5::/:' >> /etc/passwd; echo 'daemon:x:6:' >> /etc/group\n"
            "COPY a.txt /new/deep/\n"
            "COPY a.txt b.txt /two/\n"
            "COPY a.txt /etc\n"
            "COPY a.txt /renamed\n"
            "COPY folder /merged\n"
            "COPY fold*/x.txt /star/\n"
            "ADD packed.tgz /unpacked\n"
            "COPY --chown=daemon:daemon a.txt /owned/\n"
            "COPY <<EOF /here.txt\n"
            "home is $HOME_OF\n"
            "EOF\n"
            "COPY a.txt /tmp/\n"
            "WORKDIR /work/deeper\n"
            "RUN <<EOF\n"
            "cat /new/deep/a.txt /two/b.txt /etc/a.txt /renamed\n"
            "cat /merged/sub/y.txt /star/x.txt /unpacked/in/tar.txt; echo\n"
            "stat -c '%u %a' /owned /owned/a.txt /work /tmp /etc /new\n"
            "cat /here.txt; pwd; test ! -e /merged/secret.pem\n"
            "EOF\n"
            "CMD true\n"
        ),
        ".dockerignore": "**/*.pem\n!keep.pem\n",
        "a.txt": "a",
        "b.txt": "b",
        "folder/x.txt": "x",
        "folder/sub/y.txt": "y",
        "folder/secret.pem": "no",
        "packed.tgz": packed.getvalue(),
    }
    result = cook.build(source)
    told = [line.strip() for line in cook.lines]
    at = told.index("abaayxt") + 1
    assert told[at : at + 6] == ["5 755", "5 644", "0 755", "0 1777", "0 755", "0 755"]
    assert told[at + 6 : at + 8] == ["home is", "/work/deeper"]
    assert result.processes == {"web": ("/bin/sh", "-c", "true")}
    assert cook.run(result.image, "stat", "-c", "%a", "/tmp", "/etc", "/etc/a.txt").split() == ["1777", "755", "644"]


def test_deleted_and_replaced_folders_stay_so(cook: Kitchen) -> None:
    source = {
        "Dockerfile": (
            "FROM paas/base:1\n"
            "RUN mkdir -p /d/old /e && echo 1 > /d/old/f && echo 2 > /e/gone && echo 3 > /e/stays\n"
            "RUN rm -r /d && mkdir -m 700 /d && echo 4 > /d/new && rm /e/gone\n"
            "CMD true\n"
        )
    }
    result = cook.build(source)
    assert cook.run(result.image, "sh", "-c", "find /d /e | sort; stat -c %a /d", user="0:0").split() == [
        "/d", "/d/new", "/e", "/e/stays", "700",
    ]  # fmt: skip


def test_secrets_reach_the_command_and_nothing_else(cook: Kitchen) -> None:
    mount = "--mount=type=secret,id=token"
    source = {
        "Dockerfile": (
            "FROM paas/base:1\n"
            f"RUN {mount} {mount},target=/root/t {mount},env=TOKEN "
            "cat /run/secrets/token /root/t; echo $TOKEN; test $(cat /root/t) = $TOKEN\n"
            "RUN test ! -e /run/secrets/token && ls -a /root\n"
            f"USER 1234\nRUN {mount},uid=1234 test -r /run/secrets/token\n"
            "CMD true\n"
        )
    }
    result = cook.build(source, secrets={"token": "tok-en-123"})
    assert not any("tok-en-123" in line for line in cook.lines)
    assert sum(line.count("[secret]") for line in cook.lines) == 3
    assert (
        cook.run(result.image, "sh", "-c", "ls -A /root; ls /run/secrets 2>/dev/null | wc -l", user="0:0").split()[-1]
        == "0"
    )

    leaking = {"Dockerfile": f"FROM paas/base:1\nRUN {mount} cp /run/secrets/token /usr/kept\nCMD true\n"}
    with pytest.raises(BuildFailed) as failed:
        cook.build(leaking, secrets={"token": "tok-en-123"})
    assert (failed.value.reason, "/usr/kept" in failed.value.message) == ("SecretInImage", True)
    with pytest.raises(BuildFailed) as failed:
        cook.build({"Dockerfile": f"FROM paas/base:1\nRUN {mount},required=true true\nCMD true\n"})
    assert failed.value.reason == "MissingSecret"


def test_cache_and_bind_mounts_leave_nothing(cook: Kitchen) -> None:
    source = {
        "Dockerfile": (
            "FROM paas/base:1\n"
            "RUN --mount=type=bind,source=tools,target=/tools --mount=type=cache,target=/cache "
            "cat /tools/t > /usr/out && cp /tools/t /cache/x\n"
            "CMD true\n"
        ),
        "tools/t": "tool",
    }
    result = cook.build(source)
    assert cook.run(result.image, "sh", "-c", "cat /usr/out; ls /cache /tools 2>/dev/null | wc -l").split() == ["tool0"]


@pytest.mark.parametrize(
    ("dockerfile", "reason", "words"),
    [
        ("FROM paas/base:1\nFRIM x\n", "InvalidDockerfile", "line 2"),
        ("RUN true\n", "InvalidDockerfile", "before the first FROM"),
        ("FROM paas/base:1\nCOPY nothing /x\nCMD true\n", "InvalidDockerfile", "finds no 'nothing'"),
        ("FROM paas/base:1\nADD http://169.254.169.254/x /x\nCMD true\n", "InvalidDockerfile", "fetches nothing"),
        ("FROM paas/base:1\nRUN --network=host true\nCMD true\n", "InvalidDockerfile", "--network"),
        ("FROM paas/base:1\nRUN --security=insecure true\nCMD true\n", "InvalidDockerfile", "insecure"),
        ("FROM paas/base:1\nRUN --mount=type=ssh true\nCMD true\n", "InvalidDockerfile", "type=ssh"),
        ("FROM scratch\nCMD true\n", "InvalidDockerfile", "without any file"),
        ("FROM paas/base:1\nENTRYPOINT []\n", "NoCommand", "neither CMD"),
        ("FROM nowhere.test/x\nCMD true\n", "RegistryNotAllowed", "nowhere.test"),
        ("FROM paas/none:1\nCMD true\n", "PullImageFailed", "no image"),
        ("FROM paas/base:1\nRUN <<EOF\n", "InvalidDockerfile", "no end"),
        ("FROM paas/base:1\nRUN exit 7\nCMD true\n", "DockerBuildFailed", "exit code 7"),
        ("FROM paas/base:1\nUSER nobody-there\nCOPY . /x/\nCMD true\n", "InvalidDockerfile", "no user"),
        ("FROM paas/base:1\nLABEL a=" + "x" * 70_000 + "\nCOPY . /x/\nCMD true\n", "LabelsTooLarge", "labels"),
        ("# syntax=evil/x\nFROM paas/base:1\nWORKDIR /proc/self/fd/8\nRUN true\nCMD a\n", "DockerBuildFailed", ""),
        ("", "InvalidDockerfile", "no instruction"),
    ],
)  # fmt: skip
def test_dockerfile_that_cannot_be_built_is_named(cook: Kitchen, dockerfile: str, reason: str, words: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        cook.build({"Dockerfile": dockerfile, "x": "1"})
    assert failed.value.reason == reason, failed.value.message
    assert words in failed.value.message


def test_named_user_becomes_a_number_and_onbuild_runs(cook: Kitchen) -> None:
    parent = cook.build(
        {"Dockerfile": "FROM paas/base:1\nRUN echo 'me:x:1500:1600::/:/bin/sh' >> /etc/passwd\nUSER me\nCMD true\n"}
    )
    assert cook.registry.image(f"apps/{cook.app_id}", parent.image).user == "1500:1600"
    image = cook.registry.image(f"apps/{cook.app_id}", parent.image)
    config = json.loads(json.dumps(image.config))
    config["config"]["OnBuild"] = ["COPY x /onbuild"]
    config["config"]["User"] = ""
    cook.registry.push_image(f"apps/{cook.app_id}", replace(image, config=config), tag="onbuild")
    result = cook.build(
        {"Dockerfile": f"FROM {cook.host}/apps/{cook.app_id}:onbuild\nRUN cat /onbuild\n", "x": "trigger"}
    )
    assert any(line.strip() == "trigger" for line in cook.lines)
    assert result.processes == {"web": ("/bin/sh", "-c", "true")}


def test_context_folder_of_a_monorepo(cook: Kitchen) -> None:
    source = {f"web/{name}": body for name, body in APP.items()} | {"other/file": "1"}
    first = cook.build(source, context_dir="web")
    again = cook.build(source | {"other/file": "2", "README": "new"}, context_dir="web")
    assert (first.image, cook.sandboxes.opened) == (again.image, 0)
    with pytest.raises(BuildFailed) as failed:
        cook.build(source, context_dir="nope")
    assert failed.value.reason == "InvalidContextDirectory"


def test_operator_may_switch_dockerfiles_off(cook: Kitchen) -> None:
    with pytest.raises(BuildFailed) as failed:
        cook.build(APP, strategy="dockerfile", tools={"dockerfile_builds": False})
    assert failed.value.reason == "DockerfileBuildsOff"
    with pytest.raises(BuildFailed) as failed:
        cook.build(APP, tools={"dockerfile_builds": False})
    assert failed.value.reason == "NoBuilderDetected"


def test_test_command_gates_the_image(cook: Kitchen) -> None:
    command = ("sh", "-c", "python3 app.py && touch /tmp/left && id -u && echo $COLOUR")
    result = cook.build(APP, test_command=command, environment={"COLOUR": "blue"})
    assert "       blue" in cook.lines
    assert "       v1" in cook.lines
    assert "       1001" in cook.lines
    assert result.image == cook.build(APP, environment={"COLOUR": "blue"}).image
    with pytest.raises(BuildFailed) as failed:
        cook.build(APP, test_command=("sh", "-c", "echo wrong; exit 9"))
    assert (failed.value.reason, failed.value.facts["last_lines"]) == ("PostCommitHookFailed", ["wrong"])


def test_image_is_deployed_as_it_is(cook: Kitchen) -> None:
    made = cook.build(APP)
    other = replace(cook, app_id=f"{cook.app_id}x")
    with pytest.raises(BuildFailed):
        other.build({}, source_image=f"{cook.host}/apps/{cook.app_id}@{made.image}")
    result = cook.build({}, source_image=f"{cook.host}/apps/{cook.app_id}@{made.image}")
    assert (result.strategy, result.processes) == ("image", {"web": ("python3", "app.py")})
    assert cook.run(result.image, "python3", "app.py") == "v1\n"
    with pytest.raises(BuildFailed) as failed:
        cook.build({}, source_image="paas/base:1")
    assert failed.value.reason in ("NoCommand",)
