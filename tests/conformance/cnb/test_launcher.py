"""The launcher, by the specification's words (platform.md, launcher; buildpack.md, Launch and Environment).

It is static and told its folders by variables, so it runs here, without a container.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas.builder.cnb import toml
from tests.conftest import made_images

SHOW = "#!/bin/sh\nenv | sort\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build image's launcher, and links for process types beside it."""
    image = next(recipe.tag for recipe in made_images("buildpacks") if recipe.repository == "builders/buildpacks")
    folder = tmp_path_factory.mktemp("launcher")
    container = docker("create", image, "true")
    try:
        docker("cp", f"{container}:/cnb/lifecycle/launcher", str(folder))
    finally:
        docker("rm", container)
    for kind in ("web", "worker", "test"):
        (folder / kind).symlink_to("launcher")
    return folder / "launcher"


def docker(*argv: str) -> str:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@dataclass
class Image:
    """An app's layers and its folder."""

    program: Path
    root: Path

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def app(self) -> Path:
        return self.root / "workspace"

    def describe(self, *processes: Mapping[str, object], default: str = "", packs: tuple[str, ...] = ("one",)) -> None:
        listed = [{"type": "web", "command": ["env"], "args": [], "direct": True, **given} for given in processes]
        known = [{"id": name, "version": "1.0.0", "api": "0.10"} for name in packs]
        document = {"buildpack-default-process-type": default, "buildpacks": known, "processes": listed}
        self.write("config/metadata.toml", toml.dump(document).decode())

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the layers' folder."""
        file = self.layers / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def start(self, kind: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": f"/cnb/process:/cnb/lifecycle:{os.environ['PATH']}",
            "CNB_LAYERS_DIR": str(self.layers),
            "CNB_APP_DIR": str(self.app),
            "CNB_PLATFORM_API": "0.12",
            **env,
        }
        argv = [str(self.program.parent / kind), *args]
        return subprocess.run(argv, env=given, capture_output=True, text=True, timeout=30, check=False)

    def env(self, kind: str = "web", **env: str) -> dict[str, str]:
        """What a process of `env` prints."""
        done = self.start(kind, **env)
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.fixture
def image(program: Path, tmp_path: Path) -> Image:
    made = Image(program, tmp_path)
    made.app.mkdir()
    made.describe({})
    return made


def test_launch_chooses_the_process_by_its_own_name(image: Image) -> None:
    image.describe({"command": ["echo", "web"]}, {"type": "worker", "command": ["echo", "worker", "a b"]})
    assert image.start("web").stdout == "web\n"
    assert image.start("worker").stdout == "worker a b\n"


def test_launch_without_a_type_takes_the_default_process(image: Image) -> None:
    image.describe({"type": "worker", "command": ["echo", "default"]}, default="worker")
    assert image.start("launcher").stdout == "default\n"
    image.describe({"type": "worker"})
    done = image.start("launcher")
    assert (done.returncode, "worker" in done.stderr) == (82, True)


def test_launch_replaces_default_arguments_by_those_of_the_user(image: Image) -> None:
    image.describe({"command": ["echo", "always"], "args": ["by", "default"]})
    assert image.start("web").stdout == "always by default\n"
    assert image.start("web", "$HOME", "x y").stdout == "always $HOME x y\n"


def test_launch_starts_any_program_directly(image: Image) -> None:
    image.write("one/a/env/GREETING", "hello")
    assert image.start("launcher", "--", "sh", "-c", 'echo "$GREETING $0"', "$x").stdout == "hello $x\n"
    assert image.start("launcher", "--").returncode == 82


def test_launch_starts_a_line_of_shell_behind_the_profiles(image: Image) -> None:
    image.write("one/a/profile.d/1.sh", "export A=1\n")
    image.write("one/b/profile.d/2.sh", "export B=$A$A\n")
    (image.app / ".profile").write_text("export C=$B$B\n")
    assert image.start("launcher", "echo $A $B $C | tr 1 2").stdout == "2 22 2222\n"
    assert image.start("launcher", "printenv", "C").stdout == "1111\n"
    image.write("one/c/profile.d/it's 3.sh", "set -- lost; count=7\n")
    assert image.start("launcher", "printf", "%s|", "a b", "it's", "$C").stdout == "a b|it's|$C|"
    (image.layers / "one/c/profile.d/it's 3.sh").unlink()
    assert image.start("launcher", "printenv", "count", count="5").stdout == "5\n"


def test_launch_working_directory_of_a_process(image: Image) -> None:
    (image.app / "inner").mkdir()
    image.describe({"command": ["pwd"]}, {"type": "worker", "command": ["pwd"], "working-dir": "/usr"})
    assert image.start("web").stdout.strip() == str(image.app)
    assert image.start("worker").stdout == "/usr\n"
    image.describe({"command": ["pwd"], "working-dir": "inner"})
    assert image.start("web").stdout.strip() == str(image.app / "inner")
    image.describe({"command": ["pwd"], "working-dir": "/nowhere"})
    assert image.start("web").returncode == 82


def test_launch_takes_processes_for_the_execution_environment_only(image: Image) -> None:
    image.describe(
        {"type": "test", "command": ["echo", "only"], "exec-env": ["test"]},
        {"type": "web", "command": ["echo", "any"], "exec-env": ["*"]},
    )
    assert image.start("test", CNB_EXEC_ENV="test").stdout == "only\n"
    assert image.start("web").stdout == "any\n"
    done = image.start("test")
    assert (done.returncode, "production" in done.stderr) == (82, True)


def test_launch_layers_are_on_the_paths_later_buildpacks_first(image: Image) -> None:
    image.describe({}, packs=("one", "two/three"))
    for folder in ("one/b/bin", "one/a/bin", "two_three/c/bin", "two_three/c/lib", "other/x/bin"):
        (image.layers / folder).mkdir(parents=True)
    found = image.env(PATH="/cnb/process:/cnb/lifecycle:/usr/bin:/bin")
    inner = [f"{image.layers}/{name}/bin" for name in ("two_three/c", "one/a", "one/b")]
    assert found["PATH"].split(":") == [*inner, "/usr/bin", "/bin"]
    assert found["LD_LIBRARY_PATH"] == f"{image.layers}/two_three/c/lib"


def test_launch_environment_files_by_their_suffix(image: Image) -> None:
    for name, text in {
        "PLAIN": "new",
        "OVER.override": "new",
        "SET.default": "new",
        "UNSET.default": "new",
        "MORE.append": "b",
        "MORE.delim": ":",
        "LESS.prepend": "b",
        "LESS.delim": ",",
        "ALONE.append": "x",
        "ALONE.delim": ":",
        "RAW": "$HOME `id`\n",
    }.items():
        image.write(f"one/a/env.launch/{name}", text)
    image.write("one/a/env.build/HIDDEN", "build")
    found = image.env(PLAIN="old", OVER="old", SET="old", MORE="a", LESS="a")
    assert (found["PLAIN"], found["OVER"], found["SET"], found["UNSET"]) == ("new", "new", "old", "new")
    assert (found["MORE"], found["LESS"], found["ALONE"]) == ("a:b", "b,a", "x")
    assert found["RAW"] == "$HOME `id`"
    assert "HIDDEN" not in found


def test_launch_environment_of_one_process(image: Image) -> None:
    image.describe({}, {"type": "worker"})
    image.write("one/a/env/A", "all")
    image.write("one/a/env.launch/A.append", "+launch")
    image.write("one/a/env.launch/web/A.append", "+web")
    assert image.env("web")["A"] == "all+launch+web"
    assert image.env("worker")["A"] == "all+launch"


def test_launch_environment_in_the_order_of_buildpacks_and_layers(image: Image) -> None:
    image.describe({}, packs=("two", "one"))
    for place in ("two/a", "two/b", "one/a"):
        image.write(f"{place}/env/FRONT.prepend", f"[{place}]")
        image.write(f"{place}/env/BACK.append", f"[{place}]")
        image.write(f"{place}/env/LAST", place)
        image.write(f"{place}/env/FIRST.default", place)
    found = image.env()
    assert found["FRONT"] == "[one/a][two/b][two/a]"
    assert found["BACK"] == "[two/a][two/b][one/a]"
    assert (found["LAST"], found["FIRST"]) == ("one/a", "two/a")


def test_launch_hides_its_own_variables_and_folders(image: Image) -> None:
    found = image.env(CNB_PROCESS_TYPE="web", PORT="5000")
    assert found["PORT"] == "5000"
    assert not [name for name in found if name.startswith("CNB_")]
    assert "/cnb/" not in found["PATH"]


def test_launch_runs_exec_d_and_takes_its_variables(image: Image) -> None:
    image.describe({}, {"type": "worker"})
    image.write("one/a/exec.d/1", '#!/bin/sh\necho said; printf \'A = "1"\\nB = """x\\ny"""\\n\' >&3\n', 0o755)
    image.write("one/b/exec.d/1", '#!/bin/sh\nprintf \'C = "%s%s"\\n\' "$A" "$(pwd)" >&3\n', 0o755)
    image.write("one/a/exec.d/web/1", '#!/bin/sh\nprintf \'C = "%s web"\\n\' "$C" >&3\n', 0o755)
    done = image.start("worker")
    assert done.stdout.startswith("said\n")
    assert f"C=1{image.app}\n" in done.stdout
    assert f"C=1{image.app} web\n" in image.start("web").stdout
    assert "B=x\ny\n" in done.stdout


@pytest.mark.parametrize(
    "script",
    [
        "exit 3",
        "echo 'A = 1' >&3",
        "echo 'a-b = \"x\"' >&3",
        "echo 'A = [' >&3",
        "printf 'A = []\\nA.b = 1\\n' >&3",
        "yes 'x' | head -c 2000000 >&3",
    ],
    ids=["fails", "number", "name", "toml", "empty", "large"],
)
def test_launch_ends_where_exec_d_fails(image: Image, script: str) -> None:
    image.write("one/a/exec.d/broken", f"#!/bin/sh\n{script}\n", 0o755)
    done = image.start("web")
    assert done.returncode == 83
    assert "exec.d/broken" in done.stderr


def test_launch_is_replaced_by_the_process(image: Image) -> None:
    image.describe({"command": ["sh", "-c", "echo $$; exec sleep 30"]})
    env = {**os.environ, "CNB_LAYERS_DIR": str(image.layers), "CNB_APP_DIR": str(image.app)}
    with subprocess.Popen([str(image.program.parent / "web")], env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline().strip() == str(running.pid)
        running.terminate()
        assert running.wait(10) == -15


def test_launch_tells_exit_codes_of_the_process_and_its_own(image: Image) -> None:
    image.describe({"command": ["sh", "-c", "exit 42"]})
    assert image.start("web").returncode == 42
    image.describe({"command": ["no-such-program"]})
    done = image.start("web")
    assert (done.returncode, "no-such-program" in done.stderr) == (82, True)
    assert image.start("web", CNB_PLATFORM_API="1.0").returncode == 11
    metadata = image.layers / "config" / "metadata.toml"
    metadata.write_text(metadata.read_text().replace("0.10", "0.2"))
    assert image.start("web").returncode == 12
    metadata.write_text("a = [")
    done = image.start("web")
    assert (done.returncode, "line 1" in done.stderr) == (81, True)
    metadata.unlink()
    assert image.start("web").returncode == 81


def test_launch_reads_metadata_as_others_write_it(image: Image) -> None:
    text = """
# by a lifecycle
buildpack-default-process-type = 'web'

[[buildpacks]]
  id = "one" # comment
  version = "1"
  api = "0.12"

[[processes]]
  type = "web"
  command = ["sh", "-c",
    "printf '%s|' \\"$0\\" \\"$@\\"", # more
  ]
  args = ['C:\\n', "\\u00e9\\t", \"\"\"
two
lines\"\"\"]
  direct = true
  buildpack-id = "one"
[build]
extra = { a.b = 1.5, c = 2026-11-23 }
"""
    image.write("config/metadata.toml", text)
    done = image.start("launcher")
    assert done.stdout == "C:\\n|é\t|two\nlines|", done.stderr
