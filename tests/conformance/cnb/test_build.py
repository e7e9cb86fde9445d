"""The build phase, by the specification's words (buildpack.md, Phase #5)."""

from __future__ import annotations

import pytest

from paas.errors import BuildFailed
from tests.conformance.cnb.kitchen import WEB, Case, layer, offer, pack

pytestmark = pytest.mark.integration


def test_build_gives_arguments_and_variables(case: Case) -> None:
    shown = 'echo "args $1 $2 $3"; env | grep -E "^(CNB_|BP_)" | sort; id -u; pwd; cat "$CNB_BP_PLAN_PATH"'
    provides = offer("x", requires=("x",), more="[requires.metadata]\\nv = 3\\n")
    result = case.build(pack("a/one", f"{shown}\n{WEB}", provides), environment={"BP_COLOUR": "blue"})
    for line in (
        "args /layers/a_one /platform /tmp/cnb/build/0.toml",
        "CNB_BUILDPACK_DIR=/cnb/buildpacks/a_one/1.2.3",
        "CNB_LAYERS_DIR=/layers/a_one",
        "CNB_PLATFORM_DIR=/platform",
        "CNB_EXEC_ENV=production",
        "CNB_TARGET_OS=linux",
        "CNB_TARGET_DISTRO_NAME=debian",
        "BP_COLOUR=blue",
        "1001",
        "/workspace",
        "v = 3",
    ):
        assert f"       {line}" in case.kitchen.lines, line
    assert result.processes == {"web": ("/cnb/process/web",)}
    assert case.config(result)["Entrypoint"] == ["/cnb/process/web"]


def test_build_environment_of_build_layers(case: Case) -> None:
    first = layer("z", "build", {"bin/tool": "x", "env/A.append": "z", "env/A.delim": ":"})
    second = layer("b", "build", {"bin/tool": "x", "env/A.append": "b", "env/A.delim": ":", "env.build/B": "only"})
    hidden = layer("h", "launch", {"bin/tool": "x", "env/H": "hidden"})
    case.build(pack("one", first + second + hidden), pack("two", f'echo "$PATH|$A|$B|$H"\n{WEB}'))
    line = next(line for line in case.kitchen.lines if "/layers/one/b/bin" in line)
    assert line.strip().startswith("/layers/one/b/bin:/layers/one/z/bin:")
    assert line.endswith("|b:z|only|")


def test_build_failure_names_the_buildpack(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", "echo why >&2; exit 7"))
    assert (caught.value.reason, caught.value.stage) == ("BuildpackBuildFailed", "build")
    assert "one@1.2.3" in caught.value.message
    assert "why" in caught.value.facts["last_lines"]
    assert not case.kitchen.left()


def test_build_unmet_entries_go_to_the_next_provider(case: Case) -> None:
    provide, need = offer("x"), offer(requires=("x",))
    show = 'echo "plan: $(cat "$CNB_BP_PLAN_PATH")"\n'
    unmet = 'printf \'[[unmet]]\\nname = "x"\\n\' > "$CNB_LAYERS_DIR/build.toml"\n'
    case.build(pack("one", unmet, provide), pack("two", show, provide), pack("three", f"{show}{WEB}", need))
    assert '       name = "x"' in case.kitchen.lines
    case.build(pack("one", "", provide), pack("two", show, provide), pack("three", WEB, need))
    assert '       name = "x"' not in case.kitchen.lines


def test_build_ignored_layers_are_renamed(case: Case) -> None:
    made = 'mkdir "$CNB_LAYERS_DIR/tmp"; echo > "$CNB_LAYERS_DIR/tmp.toml"'
    case.build(pack("one", made), pack("two", f"ls /layers/one\n{WEB}"))
    assert "       tmp.ignore" in case.kitchen.lines


def test_build_clear_env_hides_user_variables(case: Case) -> None:
    show = 'echo "seen:$BP_X file:$(cat "$CNB_PLATFORM_DIR/env/BP_X")"'
    case.build(pack("one", f"{show}\n{WEB}", more="clear-env = true"), environment={"BP_X": "1"})
    assert "       seen: file:1" in case.kitchen.lines


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'a = [' > $CNB_LAYERS_DIR/launch.toml", "launch.toml"),
        ("head -c 2000000 /dev/zero | tr '\\0' x > $CNB_LAYERS_DIR/launch.toml", "larger than"),
        ("echo 'processes = 3' > $CNB_LAYERS_DIR/launch.toml", "processes"),
        ('printf \'[[processes]]\\ntype = "../x"\\ncommand = ["a"]\\n\' > $CNB_LAYERS_DIR/launch.toml', "../x"),
        ("printf '[[slices]]\\npaths = [\"../x\"]\\n' > $CNB_LAYERS_DIR/launch.toml", "../x"),
        ("mkdir $CNB_LAYERS_DIR/launch", "launch"),
        ("ln -s /etc $CNB_LAYERS_DIR/etc; echo > $CNB_LAYERS_DIR/etc.toml", "etc"),
        ("echo '[types]\nlaunch = 3' > $CNB_LAYERS_DIR/x.toml", "launch"),
        ("sleep 1.1; mkdir -p $CNB_LAYERS_DIR/../other/x", "/layers/other"),
    ],
    ids=["toml", "large", "shape", "process", "slice", "reserved", "link", "types", "foreign"],
)
def test_build_output_that_nobody_can_use(case: Case, script: str, said: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", script))
    assert caught.value.reason == "InvalidBuildpackOutput"
    assert said in caught.value.message
    assert not case.kitchen.left()


def test_build_may_run_but_not_change_layers_of_others(case: Case) -> None:
    library = pack("one", layer("py", "build launch", {"lib/a.py": "a"}))
    bytecode = "mkdir /layers/one/py/lib/__pycache__; echo > /layers/one/py/lib/__pycache__/a.pyc"
    case.build(library, pack("two", f"{bytecode}\n{WEB}"))
    with pytest.raises(BuildFailed) as caught:
        case.build(library, pack("two", f"sleep 1.1; echo > /layers/one/py/lib/a.py\n{WEB}"))
    assert caught.value.reason == "InvalidBuildpackOutput"
    assert "/layers/one/py/lib/a.py" in caught.value.message
