from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import detect
from paas.builder.catalog import Builder
from paas.errors import BuildFailed

CATALOG = {
    builder.name: builder
    for builder in (
        Builder("nodejs", "Node.js", "20", ("package.json",)),
        Builder("python", "Python", "3.13", ("requirements.txt", "pyproject.toml")),
        Builder("static", "Static site", "1", ("index.html", "public/*.html", "*.htm"), ("package.json",)),
    )
}
FILES = st.sets(st.sampled_from(["package.json", "requirements.txt", "pyproject.toml", "index.html", "a.htm", "x"]))


def test_file_at_the_top_decides_and_is_named() -> None:
    found = detect.detect({"pyproject.toml", "app.py"}, CATALOG)
    assert (found.builder.name, found.file) == ("python", "pyproject.toml")


def test_unless_takes_a_builder_out() -> None:
    assert detect.detect({"index.html", "package.json"}, CATALOG).builder.name == "nodejs"


def test_pattern_matches_at_the_top_only() -> None:
    assert detect.detect({"b.htm", "a.htm"}, CATALOG).file == "a.htm"
    with pytest.raises(BuildFailed):
        detect.detect({"sub/b.htm"}, CATALOG)


def test_chosen_builder_wins_over_everything() -> None:
    found = detect.detect({"package.json"}, CATALOG, "python")
    assert (found.builder.name, found.file) == ("python", "")


def test_chosen_builder_that_is_gone_lists_the_others() -> None:
    with pytest.raises(BuildFailed) as failed:
        detect.detect({"package.json"}, CATALOG, "ruby")
    assert failed.value.reason == "UnknownBuilder"
    assert "nodejs, python, static" in failed.value.hint


def test_no_match_lists_what_was_looked_for_and_the_remedy() -> None:
    with pytest.raises(BuildFailed) as failed:
        detect.detect({"main.rs"}, CATALOG)
    assert (failed.value.reason, failed.value.stage) == ("NoBuilderDetected", "detect")
    assert "python: requirements.txt, pyproject.toml" in failed.value.message
    assert "static: index.html, public/*.html, *.htm (and none of package.json)" in failed.value.message
    assert "paasctl apps update --builder NAME" in failed.value.hint


def test_two_matches_are_a_question() -> None:
    with pytest.raises(BuildFailed) as failed:
        detect.detect({"package.json", "requirements.txt"}, CATALOG)
    assert failed.value.reason == "AmbiguousBuilder"
    assert "nodejs (package.json; looked for package.json) and python (requirements.txt" in failed.value.message
    assert "paasctl apps update --builder nodejs" in failed.value.hint


@given(FILES)
def test_detection_finds_the_one_builder_that_fits_or_none(files: set[str]) -> None:
    fits = {"nodejs": "package.json" in files, "python": bool(files & {"requirements.txt", "pyproject.toml"})}
    fits["static"] = not fits["nodejs"] and bool(files & {"index.html", "a.htm"})
    names = [name for name, does in fits.items() if does]
    if len(names) == 1:
        found = detect.detect(files, CATALOG)
        assert found.builder.name == names[0]
        assert found.file in files
    else:
        with pytest.raises(BuildFailed) as failed:
            detect.detect(files, CATALOG)
        assert failed.value.reason == ("AmbiguousBuilder" if names else "NoBuilderDetected")
        assert failed.value.hint


@given(FILES)
def test_detection_does_not_depend_on_the_order_of_builders(files: set[str]) -> None:
    def outcome(catalog: dict[str, Builder]) -> str:
        try:
            return detect.detect(files, catalog).builder.name
        except BuildFailed as error:
            return error.reason

    assert outcome(CATALOG) == outcome(dict(reversed(CATALOG.items())))
