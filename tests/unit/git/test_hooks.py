from __future__ import annotations

import socket
from pathlib import Path

import pytest

from paas.errors import InvalidInput
from paas.git import hook, hooks


def exchange(data: bytes, repository: Path) -> hooks.Arrival | None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return hooks.receive(ours, repository)


def test_request_carries_lines_and_quarantine(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    inside = str(objects / "tmp_objdir-x")
    request = "\0".join([inside, inside, str(objects), "old new ref\n"]).encode()
    arrival = exchange(request, tmp_path)
    assert arrival == hooks.Arrival(
        b"old new ref\n", dict(zip(hook.VARIABLES, [inside, inside, str(objects)], strict=True))
    )


def test_git_that_ends_without_calling_the_hook_sends_nothing(tmp_path: Path) -> None:
    assert exchange(b"", tmp_path) is None


@pytest.mark.parametrize("path", ["/etc", "../other.git/objects", "objects/../../x", "objects:/etc", "objectsx"])
def test_objects_outside_of_the_repository_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput):
        exchange(f"\0{path}\0\0".encode(), tmp_path)


def test_request_over_the_limit_is_refused(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with pytest.raises(InvalidInput, match="too many refs"):
            hooks.receive(Endless(), tmp_path)  # type: ignore[arg-type]


class Endless:
    def recv(self, size: int) -> bytes:
        return bytes(size)


def test_frames_are_read_back_by_the_hook() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        hooks.say(ours, "-----> ü")
        hooks.end(ours, 7)
        head = hook.read(theirs, 5)
        assert (head[:1], hook.read(theirs, int.from_bytes(head[1:], "big"))) == (b"o", "-----> ü\n".encode())
        head = hook.read(theirs, 5)
        assert (head[:1], hook.read(theirs, int.from_bytes(head[1:], "big"))) == (b"x", b"7")


def test_frame_that_is_cut_is_an_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(b"o\0\0")
        ours.close()
        with pytest.raises(EOFError):
            hook.read(theirs, 5)
        assert hook.read(theirs, 5) == b""


def test_telling_a_hook_that_is_gone_is_an_error_of_its_own() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(hooks.HookGone):
        hooks.say(ours, "hello")
