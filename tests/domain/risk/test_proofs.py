"""The captcha: real work, once, for one browser and one purpose; or real waiting."""

from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock
from app.core.db import transaction
from app.domain.risk import proofs
from app.domain.risk.models import Checkpoint
from app.domain.risk.proofs import LASTS, WAIT, Challenge, Proof

pytestmark = pytest.mark.usefixtures("app")
HERE, NET, OTHER_NET = "this browser", b"n" * 16, b"o" * 16


def spent(
    proof: Proof,
    purpose: Checkpoint = Checkpoint.REDEEM,
    whom: str = HERE,
    network: bytes | None = NET,
) -> bool:
    return transaction(lambda: proofs.spend(proof, purpose, whom, network))


def given(ago: timedelta, nonce: bytes = b"n") -> str:
    """A challenge that a form has had for so long."""
    return Challenge(Checkpoint.REDEEM, HERE, nonce * 12, clock.now() - ago).text


def test_work_is_taken_once_from_whom_it_was_asked_of(app: Flask) -> None:
    text = proofs.challenge(Checkpoint.REDEEM, HERE)
    proof = Proof(text, proofs.solve(text))
    assert not spent(proof, whom="another browser")
    assert not spent(proof, Checkpoint.CHECKOUT)
    assert not spent(Proof(text.replace("redeem", "checkout"), proof.number))
    assert proofs.is_fresh(text, Checkpoint.REDEEM, HERE)
    assert spent(proof)
    assert not spent(proof)
    assert not proofs.is_fresh(text, Checkpoint.REDEEM, HERE)


def test_work_for_an_old_challenge_is_worth_nothing() -> None:
    text = given(LASTS + timedelta(seconds=2))
    assert not spent(Proof(text, proofs.solve(text)))


def test_waiting_opens_the_way_for_one_at_a_time() -> None:
    soon = given(WAIT - timedelta(seconds=5))
    assert not spent(Proof(soon, ""))
    assert 3 <= proofs.seconds_to_wait(soon, Checkpoint.REDEEM, HERE) <= 6
    first, second = given(WAIT * 2, b"1"), given(WAIT * 2, b"2")
    assert spent(Proof(first, ""))
    assert not spent(Proof(second, "")), "a network waits for one at a time"
    assert spent(Proof(second, ""), network=OTHER_NET)
    assert not spent(Proof(first, ""), network=OTHER_NET)


@pytest.mark.parametrize("text", ["", "x", "a.b.c.d.e", "redeem.1.2.3.", "." * 9, "码" * 20])
def test_what_we_never_gave_is_no_challenge(text: str) -> None:
    assert not spent(Proof(text, "1"))
    assert proofs.seconds_to_wait(text, Checkpoint.REDEEM, HERE) == WAIT.total_seconds()


@pytest.mark.parametrize("number", ["", "-1", "１２", "1e3", "9" * 13])
def test_what_is_no_number_solves_nothing(number: str) -> None:
    assert not proofs.is_solved("challenge", number, 0)
