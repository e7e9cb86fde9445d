from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.cli import git, target
from paas.cli.environment import Environment
from paas.cli.target import Remote, Wanted
from paas.core import names
from paas.errors import InvalidInput, NotFound
from tests.unit.cli.terminal import APP, URL, Terminal

HERE = Remote(URL, "team", "shop")
NAMES = st.from_regex(names.GRAMMAR, fullmatch=True)


def env(**given: str) -> Environment:
    return Environment(Path("/nowhere"), **given)  # type: ignore[arg-type]


@given(NAMES, NAMES)
def test_parse_remote_reads_what_the_platform_gives(project: str, app: str) -> None:
    assert target.parse_remote(f"{URL}/git/{project}/{app}.git") == Remote(URL, project, app)


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        (f"{URL}/git/team/shop", HERE),
        ("http://x:secret@paas.localhost:7480/git/team/shop.git", HERE),
        ("https://paas.example.org/git/a/b.git", Remote("https://paas.example.org", "a", "b")),
        ("git@example.org:team/shop.git", None),
        ("https://example.org/team/shop.git", None),
        (f"{URL}/git/team/../shop.git", None),
        ("", None),
    ],
)
def test_parse_remote(url: str, remote: Remote | None) -> None:
    assert target.parse_remote(url) == remote


def test_pick_remote_prefers_paas_and_otherwise_needs_a_known_server() -> None:
    other = {"origin": "https://example.org/x.git", "staging": f"{URL}/git/team/shop.git"}
    assert target.pick_remote(other, {URL}) == HERE
    assert target.pick_remote(other, set()) is None
    assert target.pick_remote(other | {"two": f"{URL}/git/team/two.git"}, {URL}) is None
    assert target.pick_remote(other | {"paas": f"{URL}/git/team/two.git"}, set()) == Remote(URL, "team", "two")


@pytest.mark.parametrize(
    ("app", "project", "remote", "environment", "wanted"),
    [
        ("shop", "team", HERE, env(app="x"), Wanted("shop", "team")),
        ("team/shop", "", HERE, env(), Wanted("shop", "team")),
        ("other", "", HERE, env(project="q"), Wanted("other", prefer=("team", "q"))),
        ("", "", HERE, env(app="x", project="y"), Wanted("shop", "team", URL)),
        ("", "team", HERE, env(), Wanted("shop", "team", URL)),
        ("", "", None, env(app="x", project="y"), Wanted("x", "y")),
        ("", "q", HERE, env(app="x"), Wanted("x", "q")),
        ("", "", None, env(app="y/x"), Wanted("x", "y")),
        ("", "", None, env(app="x"), Wanted("x")),
    ],
)
def test_choose(app: str, project: str, remote: Remote | None, environment: Environment, wanted: Wanted) -> None:
    assert target.choose(app, project, remote, environment) == wanted


@pytest.mark.parametrize(("app", "project"), [("", ""), ("", "q"), ("a/", ""), ("/b", ""), ("a/b", "c")])
def test_choose_without_an_app_names_the_remedies(app: str, project: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        target.choose(app, project, None, env(project="y"))
    assert raised.value.hint


def test_app_without_project_is_looked_up(tmp_path: Path) -> None:
    two = [APP, {**APP, "project": "other"}, {**APP, "name": "single"}]
    terminal = Terminal(tmp_path, {"GET /apps": {"items": two}})
    assert target.find_app(terminal.session(), "single").project == "team"
    with pytest.raises(InvalidInput, match="team, other"):
        target.find_app(terminal.session(), "shop")
    with pytest.raises(NotFound):
        target.find_app(terminal.session(), "absent")
    terminal.remotes = {"paas": f"{URL}/git/other/x.git"}
    assert target.find_app(terminal.session(), "shop").project == "other"


def test_project_is_the_only_one_or_must_be_named(tmp_path: Path) -> None:
    one = Terminal(tmp_path, {"GET /projects": {"items": [{"name": "team"}]}})
    assert target.find_project(one.session())[1] == "team"
    two = Terminal(tmp_path, {"GET /projects": {"items": [{"name": "team"}, {"name": "b"}]}})
    with pytest.raises(InvalidInput, match="team, b"):
        target.find_project(two.session())
    none = Terminal(tmp_path, {"GET /projects": {"items": []}})
    with pytest.raises(InvalidInput, match="no project"):
        target.find_project(none.session())
    assert target.find_project(two.session(), "b")[1] == "b"


def test_remote_of_another_platform_does_not_count_where_the_url_is_set(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, remotes={"paas": "https://other.example.org/git/team/shop.git"})
    assert target.find_remote(terminal.session()) is None


def test_parse_remotes_keeps_odd_urls_whole() -> None:
    text = "remote.paas.url\nhttp://a/git/p/a.git\0remote.a.url.url\nx\ny\0"
    assert git.parse_remotes(text) == {"paas": "http://a/git/p/a.git", "a.url": "x\ny"}
    assert git.parse_remotes("") == {}
