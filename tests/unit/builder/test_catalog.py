from __future__ import annotations

from pathlib import Path

import pytest

from paas.builder import catalog
from paas.errors import InvalidInput

GOOD = """
name = "ruby"
display-name = "Ruby"
version = "3.3"
[detect]
any = ["Gemfile"]
unless = ["package.json"]
[dependencies]
files = ["Gemfile", "Gemfile.lock"]
lock = ["Gemfile.lock"]
[layers]
dependencies = ["/opt/app-root/vendor/"]
[source]
copy = "/opt/app-root/src"
assemble-if = ["Rakefile"]
assemble-if-key = ["package.json:scripts.build"]
"""


def test_all_keys_are_read() -> None:
    builder = catalog.parse(GOOD.encode(), "ruby/builder.toml")
    assert builder == catalog.Builder(
        "ruby", "Ruby", "3.3", ("Gemfile",), ("package.json",), ("Gemfile", "Gemfile.lock"), ("Gemfile.lock",),
        ("/opt/app-root/vendor",), "/opt/app-root/src", ("Rakefile",), (("package.json", "scripts.build"),),
    )  # fmt: skip
    assert (builder.repository, builder.run_repository) == ("builders/ruby", "builders/ruby-run")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "ruby"', 'name = "Ruby"', "name"),
        ('name = "ruby"', 'name = "../x"', "name"),
        ('name = "ruby"', "name = 3", "name"),
        ('version = "3.3"', "", "version"),
        ('any = ["Gemfile"]', "any = 'Gemfile'", "detect.any"),
        ('any = ["Gemfile"]', "any = [1]", "detect.any"),
        ("unless =", "unles =", "detect.unles"),
        ("[layers]", "[layer]", "layer"),
        ('"/opt/app-root/vendor/"', '"vendor"', "layers.dependencies"),
        ('"/opt/app-root/vendor/"', '"/opt/../etc"', "layers.dependencies"),
        ('"/opt/app-root/src"', '"/"', "source.copy"),
        ('"package.json:scripts.build"', '"package.json"', "source.assemble-if-key"),
        ("[detect]\n", "detect = 3\n[other]\n", "other"),
    ],
)
def test_mistake_names_file_and_key(old: str, new: str, key: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput) as error:
        catalog.parse(GOOD.replace(old, new, 1).encode(), "ruby/builder.toml")
    assert error.value.message.startswith(f"ruby/builder.toml: {key} ")


def test_broken_toml_names_its_line() -> None:
    with pytest.raises(InvalidInput, match="at line 2"):
        catalog.parse(b'name = "x"\nversion = = 3', "x/builder.toml")


def test_builders_of_this_repository_are_valid() -> None:
    found = catalog.load(Path(__file__).parents[3] / "builders")
    assert {"python", "nodejs", "static", "ruby", "php", "go", "java", "perl", "rust"} <= found.keys()
    assert {name for name, builder in found.items() if not builder.copy} == {"buildpacks", "go", "java", "rust"}
    assert all(builder.named(version.name) for builder in found.values() for version in builder.versions)


def test_folder_and_name_must_agree(tmp_path: Path) -> None:
    (tmp_path / "rubby").mkdir()
    (tmp_path / "rubby" / "builder.toml").write_text(GOOD)
    with pytest.raises(InvalidInput, match="its folder is not"):
        catalog.load(tmp_path)


def test_folder_without_builders_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no builder"):
        catalog.load(tmp_path)
