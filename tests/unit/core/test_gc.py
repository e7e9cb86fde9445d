from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.core import gc
from paas.core.gc import Inventory, Link, Manifest, Root, Verdict

OURS = ("apps/", "projects/")
GRACE = 3600.0
REPOSITORIES = st.sampled_from(["apps/a", "apps/b", "projects/p/dependencies", "strangers/x"])
DIGESTS = st.sampled_from([f"d{n}" for n in range(12)])
AGES = st.sampled_from([10.0, 4000.0])

MANIFESTS = st.lists(
    st.builds(Manifest, REPOSITORIES, DIGESTS, st.frozensets(DIGESTS, max_size=4), AGES),
    max_size=8,
    unique_by=lambda manifest: (manifest.repository, manifest.digest),
)
LINKS = st.lists(
    st.builds(Link, REPOSITORIES, DIGESTS, AGES), max_size=10, unique_by=lambda link: (link.repository, link.digest)
)
BLOBS = st.dictionaries(DIGESTS, st.tuples(st.integers(1, 99), AGES))
ROOTS = st.lists(st.builds(Root, REPOSITORIES, DIGESTS, st.just("because")), max_size=5)


def reachable(inventory: Inventory, roots: list[Root]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The reference: images and links that stay, by plain iteration to a fixed point."""
    images = {(m.repository, m.digest): m for m in inventory.manifests}
    named = {(root.repository, root.digest) for root in roots}

    def is_free(repository: str, age: float) -> bool:
        return age < GRACE or not repository.startswith(OURS)

    kept = {place for place, m in images.items() if place in named or is_free(m.repository, m.age)}
    while True:
        more = {(repository, part) for repository, digest in kept for part in images[repository, digest].parts}
        grown = kept | (more & images.keys())
        if grown == kept:
            break
        kept = grown
    parts = {(repository, part) for repository, digest in kept for part in images[repository, digest].parts}
    links = {
        (link.repository, link.digest)
        for link in inventory.links
        if (link.repository, link.digest) in named | parts or is_free(link.repository, link.age)
    }
    return kept, links


@settings(max_examples=1000, deadline=None)
@given(MANIFESTS, LINKS, BLOBS, ROOTS)
def test_exactly_the_unreachable_goes(
    manifests: list[Manifest], links: list[Link], blobs: dict[str, tuple[int, float]], roots: list[Root]
) -> None:
    inventory = Inventory(tuple(manifests), tuple(links), blobs)
    kept, kept_links = reachable(inventory, roots)
    plan = gc.plan(inventory, roots, OURS, GRACE)
    assert {(i.repository, i.digest) for i in plan.removed("image")} == {
        (m.repository, m.digest) for m in manifests
    } - kept
    assert {(i.repository, i.digest) for i in plan.removed("blob")} == {
        (link.repository, link.digest) for link in links
    } - kept_links
    alive = {digest for _, digest in kept | kept_links}
    assert {i.digest for i in plan.removed("data")} == {d for d, (_, age) in blobs.items() if age >= GRACE} - alive
    assert plan.freed == sum(blobs[i.digest][0] for i in plan.removed("data"))
    assert all(item.reason for item in plan.items)
    assert not any(item.repository.startswith("strangers/") for item in plan.items)


def test_everything_is_told_with_its_reason() -> None:
    inventory = Inventory(
        (Manifest("apps/a", "old", frozenset({"l1"}), 9e9), Manifest("apps/a", "live", frozenset({"l2"}), 9e9)),
        (Link("apps/a", "l1", 9e9), Link("apps/a", "l2", 9e9), Link("apps/a", "src", 9e9), Link("apps/a", "new", 1)),
        {"l1": (5, 9e9), "l2": (7, 9e9), "src": (1, 9e9), "old": (2, 9e9), "live": (2, 9e9), "new": (1, 1)},
    )
    roots = [Root("apps/a", "live", "release v3 is live"), Root("apps/a", "src", "source of build 3")]
    plan = gc.plan(inventory, roots, OURS, GRACE)
    told = {(item.kind, item.digest): (item.verdict, item.reason) for item in plan.items}
    assert told == {
        ("image", "live"): (Verdict.keep, "release v3 is live"),
        ("image", "old"): (Verdict.remove, "nothing names it"),
        ("blob", "l1"): (Verdict.remove, "nothing names it"),
        ("blob", "src"): (Verdict.keep, "source of build 3"),
        ("blob", "new"): (Verdict.keep, "younger than the grace time"),
        ("data", "l1"): (Verdict.remove, "no repository has it"),
        ("data", "old"): (Verdict.remove, "no repository has it"),
    }
    assert plan.freed == 7


@pytest.mark.parametrize("repository", ["strangers/x", "appsx/a", "library/redis"])
def test_what_is_not_ours_is_not_even_told(repository: str) -> None:
    manifests = (Manifest(repository, "d", frozenset({"l"}), 9e9),)
    inventory = Inventory(manifests, (Link(repository, "l", 9e9),), {"l": (1, 9e9)})
    assert gc.plan(inventory, [], OURS, GRACE).items == ()
