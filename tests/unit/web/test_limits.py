from __future__ import annotations

import pytest
from flask import Flask, request

from paas.errors import Unauthenticated, Unavailable
from paas.web import auth
from paas.web.attempts import ACCOUNT_SECONDS, MOST_KEYS, Attempts
from paas.web.errors import TooManyAttempts
from paas.web.slots import Slots


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(attempts: Attempts, account: str, address: str) -> None:
    with pytest.raises(Unauthenticated), attempts.attempt(account, address):
        raise Unauthenticated


def test_delay_doubles_after_free_failures_and_a_success_ends_it() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(5):
        fail(attempts, "ada", "1.1.1.1")
    with pytest.raises(TooManyAttempts), attempts.attempt("ada", "1.1.1.1"):
        pass
    clock.now += 1
    fail(attempts, "ada", "1.1.1.1")
    clock.now += 1
    with pytest.raises(TooManyAttempts), attempts.attempt("ada", "1.1.1.1"):
        pass
    clock.now += 1
    with attempts.attempt("ada", "1.1.1.1"):
        pass
    fail(attempts, "ada", "1.1.1.1")
    with attempts.attempt("ada", "1.1.1.1"):
        pass


def test_owner_elsewhere_waits_a_few_seconds_at_most() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for n in range(200):
        clock.now += 1000
        fail(attempts, "ada", f"10.0.0.{n}")
    clock.now += ACCOUNT_SECONDS
    with attempts.attempt("ada", "9.9.9.9"):
        pass


def test_address_that_tries_many_accounts_is_slowed_down() -> None:
    attempts = Attempts(Clock())
    for n in range(30):
        fail(attempts, f"user{n}", "6.6.6.6")
    with pytest.raises(TooManyAttempts), attempts.attempt("other", "6.6.6.6"):
        pass


def test_memory_of_failures_is_bounded() -> None:
    attempts = Attempts(Clock())
    for n in range(MOST_KEYS):
        fail(attempts, f"user{n}", f"{n}")
    assert len(attempts._failures) <= MOST_KEYS


def test_slots_are_limited_in_all_per_user_and_per_app() -> None:
    slots = Slots(total=3, per_user=2, per_app=2)
    first, _second = slots.take("ada", "a"), slots.take("ada", "b")
    with pytest.raises(Unavailable):
        slots.take("ada", "c")
    slots.take("eve", "a")
    with pytest.raises(Unavailable):
        slots.take("bob", "c")
    first()
    first()
    slots.take("bob", "c")
    with pytest.raises(Unavailable):
        slots.take("bob", "d")


@pytest.mark.parametrize(
    ("peer", "forwarded", "wanted"),
    [
        ("10.1.1.1", "6.6.6.6", "10.1.1.1"),
        ("", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("", "", ""),
    ],
)
def test_only_the_last_hop_counts_and_only_over_the_unix_socket(peer: str, forwarded: str, wanted: str) -> None:
    environ = {"REMOTE_ADDR": peer}
    with Flask("x").test_request_context("/", environ_base=environ, headers={"X-Forwarded-For": forwarded}):
        assert auth.address(request) == wanted
