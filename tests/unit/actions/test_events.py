from __future__ import annotations

import itertools
import queue
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import access, events, logs
from paas.actions.access import Actor
from paas.actions.events import Query
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.actions.stories import Story
from paas.core.names import AppId
from paas.core.releases import Instance
from paas.db.models import LogCursor, User
from paas.drivers.memory import MemoryDriver
from paas.errors import InvalidInput, LostLease, NotFound, Unauthenticated, Unavailable
from paas.ports import LogLine
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


@pytest.mark.parametrize("ended", ["token", "user", "admin", "member"])
def test_followed_stream_ends_with_the_right_to_it(
    platform: Platform, actor: Actor, target: PushTarget, ended: str
) -> None:
    boss = make_user(platform, "boss", is_admin=True)
    reader = boss if ended == "admin" else make_user(platform, "eve")
    if reader is not boss:
        access.set_member(platform, actor, "shop", "eve", "view")
    token = access.create_token(platform, reader, "t", None)
    reader = access.authenticate(platform, token.token)
    stream = events.follow(platform, reader, "shop", "front", Query(), heartbeat=0, check_every=0.1)
    assert next(stream) is None
    if ended == "token":
        access.revoke_token(platform, reader, token.id)
    elif ended == "user":
        access.update_user(platform, boss, "eve", None, True)
    elif ended == "member":
        access.remove_member(platform, actor, "shop", "eve")
    else:
        with platform.db.write() as session:
            session.get_one(User, reader.user_id).is_admin = False
    with pytest.raises((Unauthenticated, NotFound)):
        list(itertools.islice(stream, 10))


def test_old_lines_go_however_many_there_are(platform: Platform, actor: Actor, target: PushTarget) -> None:
    old = replace(platform, now=lambda: datetime.now(UTC) - timedelta(days=30))
    tell(old, target, "app/web.1", *map(str, range(95)))
    tell(platform, target, "app/web.1", "new")
    events.forget_old(platform, batch=10)
    assert texts(platform, actor) == ["new"]


def test_database_that_is_away_for_a_moment_costs_no_line(platform: Platform, actor: Actor, target: PushTarget) -> None:
    away = iter([True, True, False])

    def guard(session: Session) -> None:
        if next(away, False):
            raise Unavailable("locked")

    with Story(platform, target.app_id, "build/1", guard) as story:
        story.say("one")
        story.say("two")
    assert texts(platform, actor, source="build/1") == ["one", "two"]


def test_story_that_cannot_be_stored_says_so_at_its_end(platform: Platform, target: PushTarget) -> None:
    def guard(session: Session) -> None:
        raise LostLease

    with pytest.raises(LostLease):
        with Story(platform, target.app_id, "build/1", guard) as story:
            story.say("one")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_surprise_in_the_writer_stops_the_teller(platform: Platform, target: PushTarget) -> None:
    def guard(session: Session) -> None:
        raise ZeroDivisionError

    def work() -> None:
        with Story(platform, target.app_id, "build/1", guard) as story:
            for n in range(5000):
                story.say(str(n))

    with pytest.raises(ZeroDivisionError):
        work()


def test_app_that_writes_without_end_loses_lines_and_is_told(
    platform: Platform, actor: Actor, target: PushTarget
) -> None:
    slow = replace(platform, settings=replace(platform.settings, log_rate=10))
    lines: queue.Queue[LogLine | None] = queue.Queue()
    for n in range(1000):
        lines.put(LogLine(AppId(target.app_id), "web.1", "r1-web-1", f"2026-11-23T10:00:00.{n:09}Z", str(n)))
    lines.put(None)
    logs._store_all(slow, lines, lambda: False)
    told = texts(platform, actor)
    assert told == [*map(str, range(100)), "900 lines dropped: more than 10 a second"]
    with platform.db.read() as session:
        assert session.scalars(select(LogCursor.at)).all() == ["2026-11-23T10:00:00.000000999Z"]


def test_cursors_of_instances_that_are_gone_go(platform: Platform, target: PushTarget) -> None:
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    app_id = AppId(target.app_id)
    driver.instances[app_id] = {"there": Instance("there", "web", 1, "k", 1, running=True)}
    with platform.db.write() as session:
        for name, at in (("there", "2020"), ("gone", "2020"), ("young", "2999")):
            session.add(LogCursor(instance_id=name, app_id=app_id, at=f"{at}-01-01T00:00:00Z"))
    logs.forget_cursors(platform)
    with platform.db.read() as session:
        assert set(session.scalars(select(LogCursor.instance_id))) == {"there", "young"}
