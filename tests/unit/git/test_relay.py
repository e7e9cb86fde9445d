from __future__ import annotations

import threading

import pytest

from paas.git.relay import Relay


def test_reader_gets_all_in_order_and_the_end() -> None:
    relay = Relay(most=10)

    def write() -> None:
        for n in range(1000):
            relay.put(b"%04d" % n)
        relay.end()

    thread = threading.Thread(target=write)
    thread.start()
    assert b"".join(relay) == b"".join(b"%04d" % n for n in range(1000))
    thread.join()


def test_writer_is_not_held_by_a_reader_that_left() -> None:
    relay = Relay(most=4)
    relay.put(b"full")
    relay.detach()
    for _ in range(100):
        relay.put(b"dropped")
    relay.end()
    with pytest.raises(ConnectionError):
        list(relay)


def test_reader_that_takes_nothing_is_given_up_after_a_while() -> None:
    relay = Relay(most=4, patience=0.05)
    relay.put(b"full")
    relay.put(b"more")
    assert relay.is_detached
    with pytest.raises(ConnectionError):
        list(relay)
