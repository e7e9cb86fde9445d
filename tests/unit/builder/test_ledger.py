from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import ledger
from paas.builder.job import Fetched, Made, Tools
from paas.builder.source import SourceFiles
from paas.core.builds import BuildSpec, LayerNote, Limits, Previous
from paas.core.names import AppId, BuildId, ProjectId
from paas.oci import archive
from paas.oci.digests import Digest
from paas.oci.registry import Registry
from tests.factories import NoSandboxes

NOTE = LayerNote("dependencies", "sha256:1", 1000, "reused", "same requirements.txt")
NAMES, STATES = st.sampled_from(["dependencies", "gems", "source"]), st.sampled_from(["new", "reused"])
NOTES = st.lists(
    st.builds(LayerNote, NAMES, st.text("ab", min_size=1), st.integers(0, 99), STATES, st.just("why")), max_size=5
)


def previous(*notes: LayerNote, builder: str = "python:3.13", **facts: object) -> Previous:
    return Previous(41, "sha256:0", "sha256:" + "0" * 64, "s2i", builder, notes, facts)


def fetched(before: Previous | None, *, no_cache: bool = False) -> Fetched:
    spec = BuildSpec(
        BuildId("b"), 42, AppId("a"), ProjectId("p"), "shop", "sha256:" + "1" * 64, "", "", no_cache=no_cache,
        previous=before,
    )  # fmt: skip
    limits = archive.Limits(1 << 20, 100)
    tools = Tools(
        Registry("http://127.0.0.1:1", patience=0), "r", NoSandboxes(), {}, Limits(1, 1, 1, 1), limits, lambda: None, 1,
        datetime.now(UTC),
    )  # fmt: skip
    return Fetched(spec, tools, lambda line: None, SourceFiles())


def made(*notes: LayerNote, **facts: object) -> Made:
    return Made(Digest("sha256:9"), "python:3.13", {}, ledger=notes, facts=facts)


@given(NOTES)
def test_same_layers_are_all_reused(notes: list[LayerNote]) -> None:
    told = ledger.explain(fetched(previous(*notes)), made(*notes))
    assert {note.state for note in told} <= {"reused"}
    assert [note.digest for note in told] == [note.digest for note in notes]


def test_first_build_tells_what_its_strategy_said() -> None:
    assert ledger.explain(fetched(None), made(NOTE)) == (NOTE,)


def test_layer_that_was_another_one_is_changed() -> None:
    new = replace(NOTE, digest="sha256:2", state="new", pushed=10)
    (told,) = ledger.explain(fetched(previous(NOTE)), made(new))
    assert told.state == "changed"


def test_layer_that_the_project_had_is_reused() -> None:
    (told,) = ledger.explain(fetched(previous(NOTE)), made(replace(NOTE, digest="sha256:2")))
    assert told.state == "reused"


@pytest.mark.parametrize(
    ("before", "now", "no_cache", "told"),
    [
        (previous(NOTE, builder="python:3.11"), {}, False, "python:3.13 instead of python:3.11"),
        (previous(NOTE, builder_image="a"), {"builder_image": "b"}, False, "python:3.13 was updated"),
        (previous(NOTE, inputs={"a.txt": "1"}), {"inputs": {"a.txt": "1", "b.txt": "2"}}, False, "b.txt added"),
        (previous(NOTE, inputs={"a.txt": "1", "b.txt": "2"}), {"inputs": {"a.txt": "1"}}, False, "b.txt removed"),
        (
            previous(NOTE, inputs={"a": "1", "b": "1"}),
            {"inputs": {"a": "2", "b": "2"}},
            False,
            "a changed, and 1 more file",
        ),
        (previous(NOTE), {}, True, "made anew (--no-cache)"),
        (previous(NOTE), {}, False, "first"),
    ],
)
def test_reason_names_the_input(before: Previous, now: dict[str, object], no_cache: bool, told: str) -> None:
    new = replace(NOTE, digest="sha256:2", state="new", reason="first")
    (note,) = ledger.explain(fetched(before, no_cache=no_cache), made(new, **now))
    assert note.reason == told


def test_growth_is_told_beyond_a_fifth_and_ten_megabytes() -> None:
    large = replace(NOTE, size=100_000_000)
    assert ledger.growth((replace(large, size=138_000_000),), previous(large)) == (
        " !     The layers have 38.0 MB more than those of build 41 (+38 %)"
    )
    assert ledger.growth((replace(large, size=119_000_000),), previous(large)) == ""
    assert ledger.growth((replace(NOTE, size=9_000_000),), previous(NOTE)) == ""
    assert ledger.growth((large,), None) == ""
