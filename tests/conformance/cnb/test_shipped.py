"""The platform's own buildpacks, on its own images: an app is built from nothing, answers, and is built again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from paas.builder import catalog
from paas.core.builds import BuildResult
from paas.drivers.docker import builders
from paas.errors import BuildFailed
from tests.conformance.cnb.kitchen import Case
from tests.conftest import made_images
from tests.integration.kitchen import Kitchen, kitchen
from tests.meta.code import ROOT

pytestmark = pytest.mark.timeout(900)  # the first run makes images
CATALOG = catalog.load(ROOT / "builders")
PROCFILE = {"Procfile": "# mine\nweb: echo \"hi $WHO\" '\\\\o/'\n\nworker: exec sleep 5\nrelease: true\r\n"}


@pytest.fixture(scope="module")
def larder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """A registry with the platform's images."""
    folder = tmp_path_factory.mktemp("shipped")
    with kitchen(folder) as opened:
        builders.push(opened.engine, opened.registry, made_images("buildpacks"), folder / "pushed", lambda line: None)
        yield opened


@pytest.fixture
def case(larder: Kitchen) -> Case:
    name = secrets.token_hex(4)
    made = replace(larder, app_id=f"a{name}", project_id=f"p{name}", lines=[], count=0)
    return Case(made, shipped=ROOT / "buildpacks", catalog=CATALOG)


def names(result: BuildResult) -> list[tuple[str, str]]:
    return [(note.name, note.state) for note in result.ledger]


def project(**variables: str) -> dict[str, str]:
    lines = (f'[[io.buildpacks.build.env]]\nname = "{name}"\nvalue = "{value}"\n' for name, value in variables.items())
    return {"project.toml": '[_]\nschema-version = "0.2"\n' + "".join(lines)}


def test_procfile_makes_processes_that_the_launcher_starts(case: Case) -> None:
    result = case.build(files={**PROCFILE, **project()})
    assert result.processes == {"web": ("/cnb/process/web",), "worker": ("/cnb/process/worker",)}
    assert result.release_command == ("/cnb/process/release",)
    assert [name for name, _ in names(result)] == ["source", "launcher", "config"]
    assert case.start(result, "/cnb/process/web", WHO="you") == "hi you \\\\o/\n"


@pytest.mark.parametrize(
    ("procfile", "said"),
    [("web run\n", "line 1"), ("web: a\nweb: b\n", "twice"), ("# nothing\n", "names no process")],
)
def test_procfile_that_is_wrong_fails_with_its_line(case: Case, procfile: str, said: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(files={"Procfile": procfile, **project()})
    assert failed.value.reason == "BuildpackBuildFailed"
    assert said in " ".join(failed.value.facts["last_lines"])


def test_env_sets_variables_of_the_running_app(case: Case) -> None:
    asked = project(BPE_COLOUR="blue", BPE_DEFAULT_WHO="all", BPE_APPEND_PATH="/own", BPE_DELIM_PATH=":")
    result = case.build(files={"Procfile": 'web: echo "$COLOUR $WHO ${PATH##*:}"\n', **asked})
    assert names(result)[0] == ("paas/env:variables", "new")
    assert case.start(result, "/cnb/process/web") == "blue all /own\n"
    assert case.start(result, "/cnb/process/web", WHO="me") == "blue me /own\n"


def test_apt_adds_packages_with_what_they_need(case: Case) -> None:
    files = {"Aptfile": "# tools\njq\nfortune-mod\n", "Procfile": "web: echo '{\"a\": 42}' | jq .a\n", **project()}
    result = case.build(files=files)
    assert case.start(result, "/cnb/process/web") == "42\n"
    assert case.start(result, "/cnb/lifecycle/launcher", "--", "fortune", "-v").startswith("fortune-mod")
    again = case.build(files={**files, "more.txt": "more"}, again=True)
    assert names(again)[:2] == [("paas/apt:packages", "reused"), ("source", "changed")]
    assert case.note(again, "paas/apt:packages").pushed == 0
    assert not any("jq 1" in line for line in case.kitchen.lines)
    assert any("the packages stay" in line for line in case.kitchen.lines)


def test_apt_gives_headers_to_later_buildpacks_where_it_is_asked(case: Case) -> None:
    order = {".buildpacks": "paas/apt\n./mine\n"}
    code = "#include <zlib.h>\\nint main(void) { return zlibVersion()[0] != 49; }\\n"
    make = '#!/bin/sh\nset -e\ncd "$CNB_LAYERS_DIR"\n'
    make += f"printf '{code}' > x.c\ngcc x.c -lz -o /workspace/check\nrm x.c\n"
    make += 'printf \'[[processes]]\\ntype = "web"\\ncommand = ["./check"]\\n\' > launch.toml\n'
    mine = {
        "mine/buildpack.toml": 'api = "0.11"\n[buildpack]\nid = "mine"\nversion = "0.0.1"\n',
        "mine/bin/detect": "#!/bin/sh\n",
        "mine/bin/build": make,
    }
    result = case.build(files={"Aptfile": "zlib1g-dev\n", **order, **mine, **project(BP_APT_BUILD="1")})
    assert case.start(result, "/cnb/process/web") == ""
    again = case.build(files={"Aptfile": "zlib1g-dev\n", **order, **mine, **project(BP_APT_BUILD="1")}, again=True)
    assert again.image == result.image


def test_apt_fetches_again_where_only_the_running_app_had_the_packages(case: Case) -> None:
    files = {"Aptfile": "zlib1g-dev\n", "Procfile": "web: true\n"}
    case.build(files={**files, **project()})
    case.build(files={**files, **project(BP_APT_BUILD="1")}, again=True)
    assert not any("the packages stay" in line for line in case.kitchen.lines)
    case.build(files={**files, **project(BP_APT_BUILD="1")}, again=True)
    assert any("the packages stay" in line for line in case.kitchen.lines)


@pytest.mark.parametrize(
    ("aptfile", "said"),
    [
        (":repo:deb http://x y z\n", "line 1"),
        ("jq\n-o Foo=bar\n", "line 2"),
        ("jq curl\n", "line 1"),
        ("no-such-package-here\n", "no-such"),
    ],
)
def test_apt_file_that_cannot_be_had_fails_with_its_reason(case: Case, aptfile: str, said: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(files={"Aptfile": aptfile, **PROCFILE, **project()})
    assert said in " ".join(failed.value.facts["last_lines"])
    assert case.kitchen.left() == []
