from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.errors import InvalidInput
from paas.git import refs
from paas.git.refs import ZERO, Update

A, B = "a" * 40, "b" * 40


def line(old: str, new: str, ref: str) -> bytes:
    return f"{old} {new} {ref}\n".encode()


def test_lines_become_updates_in_their_order() -> None:
    lines = line(ZERO, A, "refs/heads/main") + line(A, ZERO, "refs/tags/v1")
    assert refs.parse(lines) == (Update(ZERO, A, "refs/heads/main"), Update(A, ZERO, "refs/tags/v1"))


@pytest.mark.parametrize(
    "lines",
    [
        b"a b c\n",
        b"nonsense\n",
        line(ZERO, "a" * 64, "refs/heads/main"),
        f"{ZERO} {A} ".encode() + b"refs/heads/\xff\n",
        b"".join(line(ZERO, A, f"refs/tags/t{n}") for n in range(refs.MAX_UPDATES + 1)),
    ],
)
def test_damaged_lines_are_refused(lines: bytes) -> None:
    with pytest.raises(InvalidInput):
        refs.parse(lines)


BAD = [
    *("-h", "--upload-pack=x", "a..b", "../../x", "@{-1}", "a.lock", "a.lock/b", "", ".a", "a/.b", "a//b", "/a"),
    *("a b", "a\x7f", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.", "a/", "n" * 250, "ü" * 125),
]


@pytest.mark.parametrize(
    "name",
    [f"heads/{short}" for short in BAD] + ["pull/1/head", "replace/" + A, "remotes/origin/main", "stash", "tags/-v"],
)
def test_bad_ref_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        refs.check_name(f"refs/{name}")


@pytest.mark.parametrize("name", ["main", "Main", "feature/x-1", "über", "🚀", "a@b", "v1.0", "@", "a.locked"])
def test_odd_but_valid_ref_names_are_taken(name: str) -> None:
    assert refs.check_name(f"refs/heads/{name}") == f"refs/heads/{name}"


def test_name_with_any_text_is_taken_only_where_git_takes_it() -> None:
    @given(st.text(st.sampled_from("ab-./@{}~^:?*[\\ \t\x7fü") | st.characters(exclude_categories=["Cs"]), max_size=8))
    @settings(max_examples=60, deadline=None)
    def law(short: str) -> None:
        name = f"refs/heads/{short}"
        try:
            refs.check_name(name)
        except InvalidInput:
            return
        assert "\0" not in name
        checked = subprocess.run(["git", "check-ref-format", name], check=False)
        assert checked.returncode == 0

    law()


def test_only_the_deploy_branch_is_built() -> None:
    plan = refs.plan(
        (Update(ZERO, A, "refs/heads/feature"), Update(A, B, "refs/heads/main"), Update(ZERO, A, "refs/tags/v1")),
        "main",
    )
    assert plan.build == Update(A, B, "refs/heads/main")
    assert plan.notes == (
        "       Branch feature is stored, not built: this app deploys main.",
        "       Tag v1 is stored, not built.",
    )


def test_branch_whose_name_only_ends_like_the_deploy_branch_is_not_built() -> None:
    updates = tuple(Update(ZERO, A, name) for name in ("refs/heads/x/main", "refs/tags/main", "refs/heads/Main"))
    assert refs.plan(updates, "main").build is None


def test_deleting_the_deploy_branch_is_refused_and_others_not() -> None:
    with pytest.raises(InvalidInput, match="cannot be deleted"):
        refs.plan((Update(A, ZERO, "refs/heads/main"),), "main")
    assert "deleted" in refs.plan((Update(A, ZERO, "refs/heads/old"),), "main").notes[0]


def test_notes_of_many_refs_are_cut() -> None:
    plan = refs.plan(tuple(Update(ZERO, A, f"refs/tags/t{n}") for n in range(50)), "main")
    assert len(plan.notes) == refs.MOST_NOTES + 1
    assert "45 more" in plan.notes[-1]
