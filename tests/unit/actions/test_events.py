from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from paas.actions import access, events
from paas.actions.access import Actor
from paas.actions.events import Query, Story
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.errors import InvalidInput, LostLease, NotFound
from tests.factories import make_app, make_platform, make_user


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


@pytest.fixture
def actor(platform: Platform) -> Actor:
    return make_user(platform)


@pytest.fixture
def target(platform: Platform, actor: Actor) -> PushTarget:
    return make_app(platform, actor)


def texts(platform: Platform, actor: Actor, **query: object) -> list[str]:
    page = events.page(platform, actor, "shop", "front", Query(**query))  # type: ignore[arg-type]
    return [item.text for item in page.items]


def tell(platform: Platform, target: PushTarget, source: str, *lines: str, kind: str = "line") -> None:
    with platform.db.write() as session:
        events.write(session, target.app_id, source, lines, platform.now(), kind)
    platform.signals.notify(target.app_id)


def test_tellers_in_parallel_leave_no_gap_and_keep_their_order(
    platform: Platform, actor: Actor, target: PushTarget
) -> None:
    def work(n: int) -> None:
        with Story(platform, target.app_id, f"build/{n}", lambda session: None) as story:
            for i in range(200):
                story.say(f"{n}:{i}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = events.page(platform, actor, "shop", "front", Query())
    assert [item.number for item in page.items] == list(range(1, 801))
    for n in range(4):
        assert [i.text for i in page.items if i.source == f"build/{n}"] == [f"{n}:{i}" for i in range(200)]


def test_teller_that_lost_its_lease_stores_nothing(platform: Platform, actor: Actor, target: PushTarget) -> None:
    def guard(session: Session) -> None:
        raise LostLease

    def tell_much() -> None:
        with Story(platform, target.app_id, "build/1", guard) as story:
            for _ in range(10_000):
                story.say("x")

    with pytest.raises(LostLease):
        tell_much()
    assert texts(platform, actor) == []


def test_pages_by_cursor_source_and_tail(platform: Platform, actor: Actor, target: PushTarget) -> None:
    for source in ("build/1", "build/12", "app/web.1", "app/webby.1"):
        tell(platform, target, source, f"{source} a", f"{source} b")
    assert texts(platform, actor, source="build/1") == ["build/1 a", "build/1 b"]
    assert len(texts(platform, actor, source="build")) == 4
    assert texts(platform, actor, source="app/web") == ["app/web.1 a", "app/web.1 b"]
    assert texts(platform, actor, tail=3) == ["app/web.1 b", "app/webby.1 a", "app/webby.1 b"]
    first = events.page(platform, actor, "shop", "front", Query(limit=3))
    assert first.next == 3
    rest = events.page(platform, actor, "shop", "front", Query(after=first.next))
    assert [i.number for i in rest.items] == [4, 5, 6, 7, 8]
    assert rest.next == 8


@pytest.mark.parametrize("source", ["%", "build/%", "a b", "../x", "'"])
def test_bad_source_is_refused(platform: Platform, actor: Actor, target: PushTarget, source: str) -> None:
    with pytest.raises(InvalidInput):
        texts(platform, actor, source=source)


def test_follow_ends_after_the_end_of_what_it_waits_for(platform: Platform, actor: Actor, target: PushTarget) -> None:
    def work() -> None:
        for n in range(50):
            tell(platform, target, "build/1", str(n))
        tell(platform, target, "build/1", "succeeded", kind="end")
        tell(platform, target, "build/2", "more")

    thread = threading.Thread(target=work)
    thread.start()
    found = [i.text for i in events.follow(platform, actor, "shop", "front", Query(), until="build/1") if i]
    thread.join()
    assert found == [*map(str, range(50)), "succeeded"]


def test_follow_ends_when_the_right_is_lost(platform: Platform, actor: Actor, target: PushTarget) -> None:
    bob = make_user(platform, "bob")
    access.set_member(platform, actor, "shop", "bob", "view")
    stream = events.follow(platform, bob, "shop", "front", Query(), heartbeat=0.1)
    assert next(stream) is None
    access.remove_member(platform, actor, "shop", "bob")
    with pytest.raises(NotFound):
        next(stream)


def test_nul_and_giant_lines_are_tamed(platform: Platform, actor: Actor, target: PushTarget) -> None:
    tell(platform, target, "app/web.1", "a\0b", "x" * 100_000, "a\ud800b")
    assert [len(text) for text in texts(platform, actor)] == [3, events.MAX_TEXT, 3]
