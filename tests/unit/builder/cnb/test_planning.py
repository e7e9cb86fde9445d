"""Orders, build plans and environments: which buildpacks run, what each is asked for, and what it sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.cnb import environment, order, outputs, plans
from paas.builder.cnb.descriptors import Descriptor, Group, Ref
from paas.builder.cnb.environment import LayerFiles
from paas.builder.cnb.outputs import Process
from paas.builder.cnb.plans import Plan, Require, Section
from paas.errors import BuildFailed

NAMES = st.sampled_from(["jdk", "node", "npm"])
SECTION = st.builds(
    lambda provides, requires: Section(tuple(provides), tuple(map(Require, requires))),
    st.lists(NAMES, max_size=2, unique=True),
    st.lists(NAMES, max_size=2, unique=True),
)


def known(**orders: list[str]) -> order.Find:
    """Composite buildpacks by name: groups of members, `?` for optional ones; all others are components."""

    def find(ref: Ref) -> Descriptor:
        groups = tuple(group(words) for words in orders.get(ref.id, []))
        return Descriptor("0.10", ref.id, "1.0.0", order=groups)

    return find


def group(words: str) -> Group:
    return tuple(Ref(word.rstrip("?"), optional=word.endswith("?")) for word in words.split())


def shown(groups: tuple[Group, ...]) -> list[str]:
    return [" ".join(ref.id + "?" * ref.optional for ref in group) for group in groups]


def test_order_expands_composites_depth_first() -> None:
    find = known(E=["A B?", "C"], F=["E D"])
    assert shown(order.resolve([group("E D")], find)) == ["A B? D", "C D"]
    assert shown(order.resolve([group("F"), group("X")], find)) == ["A B? D", "C D", "X"]
    assert shown(order.resolve([group("E? D")], find)) == ["A B? D", "C D", "D"]


def test_order_runs_a_buildpack_once_where_it_is_named_first() -> None:
    assert shown(order.resolve(order.around([group("A B")], group("B"), group("A")), known())) == ["B A"]


def test_order_that_goes_in_circles_or_explodes_is_refused() -> None:
    with pytest.raises(BuildFailed, match=r"circles: E@1\.0\.0 -> F@1\.0\.0 -> E@1\.0\.0"):
        order.resolve([group("E")], known(E=["F"], F=["E"]))
    many = [f"a{number}" for number in range(50)]
    with pytest.raises(BuildFailed, match="more than 500 groups"):
        order.resolve([group("E F")], known(E=many, F=[f"b{number}" for number in range(50)]))


def solve(words: str, **sections: list[Section]) -> Plan | str:
    return plans.solve(group(words), sections)


def test_plan_matches_what_is_provided_and_required() -> None:
    node, npm = Section(("node",)), Section((), (Require("node", {"version": "24"}),))
    found = solve("a b", a=[node], b=[npm])
    assert isinstance(found, Plan)
    assert found.of("a") == (Require("node", {"version": "24"}),)
    assert found.of("b") == ()
    assert solve("b a", a=[node], b=[npm]) == "b requires 'node', which none before it provides"
    assert solve("a", a=[node]) == "a provides 'node', which none after it requires"
    assert solve("a b", a=[Section(("node",), (Require("node"),))], b=[npm]) != ""


def test_plan_leaves_out_optional_ones_that_do_not_fit_and_takes_alternatives() -> None:
    found = solve("a? b", a=[Section(("node",))], b=[Section()])
    assert isinstance(found, Plan)
    assert [ref.id for ref in found.group] == ["b"]
    found = solve("a b", a=[Section(("node",))], b=[Section((), (Require("deno"),)), Section((), (Require("node"),))])
    assert isinstance(found, Plan)
    assert [entry.name for entry in found.entries] == ["node"]
    assert solve("a?", a=[Section(("node",))]) == "none of its buildpacks is left"


def test_plan_hands_on_what_a_provider_did_not_meet() -> None:
    provides = [Section(("node",))]
    found = solve("a b c", a=provides, b=provides, c=[Section((), (Require("node"),))])
    assert isinstance(found, Plan)
    assert found.after("a", []).of("b") == ()
    assert found.after("a", ["node"]).of("b") == (Require("node"),)


@given(st.lists(st.tuples(st.booleans(), st.lists(SECTION, min_size=1, max_size=2)), min_size=1, max_size=4))
def test_plan_that_holds_comes_out_even_and_keeps_required_ones(given: list[tuple[bool, list[Section]]]) -> None:
    members = tuple(Ref(f"p{place}", optional=optional) for place, (optional, _) in enumerate(given))
    sections = {f"p{place}": offered for place, (_, offered) in enumerate(given)}
    found = plans.solve(members, sections)
    if isinstance(found, str):
        assert found
        return
    assert [ref for ref in members if not ref.optional] == [ref for ref in found.group if not ref.optional]
    assert list(found.group) == [ref for ref in members if ref in found.group]
    for entry in found.entries:
        assert entry.providers
        assert entry.requires


def test_plan_of_many_combinations_ends() -> None:
    bad = [Section((), (Require("none"),))] * 12
    sections = dict.fromkeys("abcdefgh", bad)
    assert "combinations" in str(plans.solve(group("a b c d e f g h"), sections))


def test_environment_of_layers_in_order_of_their_names() -> None:
    layers = [
        LayerFiles("/layers/one/b", frozenset({"bin", "lib"}), {"env/A.append": "b", "env/A.delim": ","}),
        LayerFiles("/layers/one/a", frozenset({"bin"}), {"env/A": "a", "env.build/B.default": "x"}),
    ]
    found = environment.after({"PATH": "/bin", "B": "set"}, layers)
    assert found == {
        "PATH": "/layers/one/a/bin:/layers/one/b/bin:/bin",
        "LD_LIBRARY_PATH": "/layers/one/b/lib",
        "LIBRARY_PATH": "/layers/one/b/lib",
        "A": "a,b",
        "B": "set",
    }


@pytest.mark.parametrize(
    ("files", "after"),
    [
        ({"env/X": "new"}, "new"),
        ({"env/X.override": "new"}, "new"),
        ({"env/X.default": "new"}, "old"),
        ({"env/X.append": "new"}, "oldnew"),
        ({"env/X.append": "new", "env/X.delim": ":"}, "old:new"),
        ({"env/X.prepend": "new", "env/X.delim": ":"}, "new:old"),
        ({"env/X.unknown": "new"}, "old"),
        ({"env.launch/X": "new"}, "old"),
    ],
)
def test_environment_suffixes(files: dict[str, str], after: str) -> None:
    assert environment.after({"X": "old"}, [LayerFiles("/l", frozenset(), files)])["X"] == after


def test_environment_of_the_user_wins_and_goes_before_in_paths() -> None:
    assert environment.with_user({"PATH": "/bin", "A": "1"}, {"PATH": "/own", "A": "2"}) == {
        "PATH": "/own:/bin",
        "A": "2",
    }


def test_processes_of_later_buildpacks_replace_earlier_ones_and_their_default() -> None:
    first = [Process("web", ("one",), default=True), Process("job", ("j",))]
    found, default = outputs.combine([("a", first), ("b", [Process("web", ("two",))])])
    assert [(one.type, one.command, one.buildpack) for one in found] == [("job", ("j",), "a"), ("web", ("two",), "b")]
    assert default == ""
    _, default = outputs.combine([("a", first), ("b", [Process("job", ("k",), default=True)])])
    assert default == "job"
