from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.cli import streams
from paas.cli.client import AppApi
from paas.cli.streams import Following
from paas.errors import Forbidden, Unavailable
from tests.unit.cli.terminal import Terminal, event, problem, sse

EVENTS = "GET /projects/team/apps/shop/events"


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))), st.integers(1, 7), st.booleans())
def test_lines_are_whole_wherever_the_bytes_are_cut(texts: list[str], cut: int, is_crlf: bool) -> None:
    data = "".join(text + ("\r\n" if is_crlf else "\n") for text in texts).encode()
    chunks = [data[at : at + cut] for at in range(0, len(data), cut)]
    assert list(streams.lines(chunks)) == texts


def test_messages_skip_heartbeats_and_what_was_cut_off() -> None:
    text = ': hi\n\nid: 1\nevent: line\ndata: {"a":\ndata: 1}\n\n: heartbeat\n\nevent: done\n\nid: 2\ndata: {'
    found = list(streams.messages(text.split("\n")))
    assert [(m.id, m.event, m.data) for m in found] == [("1", "line", ['{"a":', "1}"]), ("", "done", [])]


class Cut(httpx.SyncByteStream):
    """Some bytes, then the connection breaks."""

    def __init__(self, text: str) -> None:
        self._data = text.encode()

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
        raise httpx.ReadError("broken")


def follow(folder: Path, answers: list[httpx.Response], wanted: Following) -> tuple[list[str], Terminal, list[str]]:
    waiting = iter(answers)
    terminal = Terminal(folder, {EVENTS: lambda request: next(waiting)})
    app = AppApi(terminal.session().api(), "team", "shop")
    told: list[str] = []
    found = [e["text"] for e in streams.follow(app, wanted, told.append, sleep=lambda seconds: None)]
    return found, terminal, told


def cut(text: str) -> httpx.Response:
    return httpx.Response(200, stream=Cut(text))


def test_follow_goes_on_behind_the_last_number(tmp_path: Path) -> None:
    answers = [
        cut(sse(event(5, "a"), event(6, "b")) + 'id: 7\ndata: {"number"'),
        httpx.Response(503, json={"title": "unavailable", "detail": "restarting"}),
        httpx.Response(200, text=sse(event(6, "b"), event(7, "c\u2028d"))),
        httpx.Response(200, text=sse(event(9, "e"), done=True)),
    ]
    found, terminal, told = follow(tmp_path, answers, Following("app", tail=10))
    assert found == ["a", "b", "c\u2028d", "e"]
    queries = [dict(request.url.params) for request in terminal.seen]
    assert queries[0] == {"follow": "1", "source": "app", "tail": "10"}
    assert [query.get("after") for query in queries] == [None, "6", "6", "7"]
    assert [request.headers.get("Last-Event-ID") for request in terminal.seen] == [None, "6", "6", "7"]
    assert len(told) == 2


def test_follow_of_a_silent_app_survives_a_lost_connection(tmp_path: Path) -> None:
    answers = [cut(": connected\n\n"), httpx.Response(200, text=sse(event(1, "a"), done=True))]
    assert follow(tmp_path, answers, Following())[0] == ["a"]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_follow_loses_and_doubles_nothing_wherever_it_breaks(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], repeats: list[int]
) -> None:
    total, answers, sent = sum(cuts), [], 0
    for index, count in enumerate(cuts):
        first = max(0, sent - (repeats[index] if index < len(repeats) else 0))
        sent += count
        answers.append(cut(sse(*(event(n + 1, str(n)) for n in range(first, sent)))))
    answers.append(httpx.Response(200, text=sse(done=True)))
    found, _, _ = follow(tmp_path_factory.getbasetemp(), answers, Following(after=0))
    assert found == [str(n) for n in range(total)]


def raises(answers: Callable[[], list[httpx.Response]], folder: Path, wanted: Following) -> Exception:
    with pytest.raises((Unavailable, Forbidden)) as raised:
        follow(folder, answers(), wanted)
    return raised.value


def test_follow_gives_up_at_once_where_it_never_began(tmp_path: Path) -> None:
    assert isinstance(raises(lambda: [problem(503, "unavailable", "no")], tmp_path, Following()), Unavailable)


def test_follow_ends_when_the_right_to_read_ends(tmp_path: Path) -> None:
    lost = 'event: error\ndata: {"title":"forbidden","status":403,"detail":"gone","hint":""}\n\n'
    answers = [httpx.Response(200, text=sse(event(1, "a")) + lost)]
    assert isinstance(raises(lambda: answers, tmp_path, Following()), Forbidden)


def test_follow_with_patience_ends(tmp_path: Path) -> None:
    answers = [cut(sse(event(1, "a"))), problem(503, "unavailable", "no"), problem(503, "unavailable", "no")]
    assert isinstance(raises(lambda: answers, tmp_path, Following(patience=0)), Unavailable)
