"""Layer types, and the image that they become (buildpack.md, Layer Types and Phase #6)."""

from __future__ import annotations

import tomllib

import pytest

from paas.errors import BuildFailed
from tests.conformance.cnb.kitchen import LAUNCHER, WEB, Case, layer, pack

pytestmark = pytest.mark.integration


def test_export_one_layer_for_each_launch_layer(case: Case) -> None:
    made = layer("b", "launch", {"f": "b"}) + layer("a", "launch", {"f": "a"}) + layer("c", "build", {"f": "c"})
    result = case.build(pack("x/one", made + WEB))
    names = [note.name for note in result.ledger]
    assert names == ["x/one:a", "x/one:b", "source", "launcher", "config"]
    assert case.files(result, "x/one:a") == {"layers/x_one/a/f": b"a"}
    data = case.label(result, "lifecycle")["buildpacks"][0]
    assert data["key"] == "x/one"
    assert sorted(data["layers"]) == ["a", "b"]
    assert case.kitchen.run(result.image, "cat", "/layers/x_one/b/f", "/workspace/app.txt") == "bapp\n"


def test_export_launcher_and_processes(case: Case) -> None:
    more = (
        'printf \'[[processes]]\\ntype = "worker"\\ncommand = ["run", "a b"]\\nargs = ["x"]\\n'
        'working-dir = "/tmp"\\n[[processes]]\\ntype = "release"\\ncommand = ["migrate"]\\n\' '
        '> "$CNB_LAYERS_DIR/launch.toml"\n'
    )
    result = case.build(pack("one", more + WEB))
    files = case.files(result, "launcher")
    assert files["cnb/lifecycle/launcher"] == LAUNCHER
    assert files["cnb/process/worker"] == b"/cnb/lifecycle/launcher"
    config = tomllib.loads(case.files(result, "config")["layers/config/metadata.toml"].decode())
    assert config["buildpack-default-process-type"] == "web"
    assert config["buildpacks"] == [{"id": "one", "version": "1.2.3", "api": "0.10"}]
    worker = next(process for process in config["processes"] if process["type"] == "worker")
    assert worker["command"] == ["run", "a b"]
    assert (worker["args"], worker["working-dir"], worker["buildpack-id"]) == (["x"], "/tmp", "one")
    assert result.release_command == ("/cnb/process/release",)
    assert result.processes == {"web": ("/cnb/process/web",), "worker": ("/cnb/process/worker",)}
    settings = case.config(result)
    env = dict(line.split("=", 1) for line in settings["Env"])
    assert env["PATH"].startswith("/cnb/process:/cnb/lifecycle:")
    assert (env["CNB_LAYERS_DIR"], env["CNB_APP_DIR"]) == ("/layers", "/workspace")
    assert "CNB_PROCESS_TYPE" not in env
    assert settings["WorkingDir"] == "/workspace"
    assert case.kitchen.run(result.image, "/cnb/process/web") == "launched\n"


def test_export_later_buildpacks_override_processes(case: Case) -> None:
    other = 'printf \'[[processes]]\\ntype = "web"\\ncommand = ["later"]\\n\' > "$CNB_LAYERS_DIR/launch.toml"'
    result = case.build(pack("one", WEB), pack("two", other))
    (process,) = case.label(result, "build")["processes"]
    assert (process["command"], process["buildpackID"], process["default"]) == (["later"], "two", False)


def test_export_slices_of_the_app(case: Case) -> None:
    made = (
        "mkdir -p public/a; echo s > public/a/s; echo j > x.js\n"
        'printf \'[[slices]]\\npaths = ["public/*"]\\n[[slices]]\\npaths = ["*.js"]\\n\' '
        '> "$CNB_LAYERS_DIR/launch.toml"\n'
    )
    result = case.build(pack("one", made + WEB))
    assert case.files(result, "slice 1") == {"workspace/public/a/s": b"s\n"}
    assert case.files(result, "slice 2") == {"workspace/x.js": b"j\n"}
    assert "workspace/app.txt" in case.files(result, "source")
    assert "workspace/x.js" not in case.files(result, "source")
    assert len(case.label(result, "lifecycle")["app"]) == 3


def test_export_labels_of_buildpacks(case: Case) -> None:
    def said(value: str) -> str:
        return f'printf \'[[labels]]\\nkey = "k"\\nvalue = "{value}"\\n\' >> "$CNB_LAYERS_DIR/launch.toml"\n'

    result = case.build(pack("one", said("first") + WEB), pack("two", said("last")))
    assert case.config(result)["Labels"]["k"] == "last"
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", said("x" * 11_000) + WEB))
    assert caught.value.reason == "LabelsTooLarge"


def test_export_sboms_of_launch_layers(case: Case) -> None:
    made = layer("a", "launch", {"f": "a"}) + layer("b", "build", {"f": "b"})
    sboms = 'cd "$CNB_LAYERS_DIR"; echo 1 > a.sbom.cdx.json; echo 2 > b.sbom.cdx.json; echo 3 > launch.sbom.spdx.json\n'
    result = case.build(pack("x/one", made + sboms + WEB))
    assert case.files(result, "sbom") == {
        "layers/sbom/launch/x_one/a/sbom.cdx.json": b"1\n",
        "layers/sbom/launch/x_one/sbom.spdx.json": b"3\n",
    }


def test_export_same_source_same_digest(case: Case) -> None:
    made = pack("one", layer("a", "launch cache", {"f": "a"}, metadata="v = 1") + WEB)
    first = case.build(made)
    assert case.build(made).image == first.image
    assert case.build(made, again=True).image == first.image


def test_export_only_project_files_that_are_included(case: Case) -> None:
    project = '[_]\nschema-version = "0.2"\n[io.buildpacks]\nexclude = ["*.log", "docs/"]\n'
    project += '[[io.buildpacks.group]]\nuri = "packs/one"\n[[io.buildpacks.build.env]]\nname = "BP_A"\nvalue = "b"\n'
    files = {"project.toml": project, "x.log": "x", "docs/a": "a", "kept": "k"}
    case.build(pack("one", f'ls; echo "env $BP_A"\n{WEB}'), files=files)
    assert "       kept" in case.kitchen.lines
    assert "       env b" in case.kitchen.lines
    assert not {"       x.log", "       docs"} & set(case.kitchen.lines)


def test_export_without_processes_fails(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one"))
    assert caught.value.reason == "NoCommand"


def test_export_holds_no_secret(case: Case) -> None:
    for write in (
        'cp /run/secrets/KEY "$CNB_LAYERS_DIR/../../workspace/key"',
        layer("a", "launch", {"f": "$(cat /run/secrets/KEY)"}),
    ):
        with pytest.raises(BuildFailed) as caught:
            case.build(pack("one", f"{write}\n{WEB}"), secrets={"KEY": "very-secret-value"})
        assert caught.value.reason == "SecretInImage"
    assert not case.kitchen.left()


def test_export_runs_the_test_command_through_the_launcher(case: Case) -> None:
    case.build(pack("one", WEB), test_command=("sh", "-c", 'echo "by $LAUNCHED_BY"'))
    assert "       by launcher" in case.kitchen.lines
